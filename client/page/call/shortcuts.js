// Single keys for what is done most in a call, and the list of them.

import { recall, remember } from "../headless/remembered.js";
import { button, element, make } from "../parts/elements.js";
import { inEachLanguage, t } from "../texts/i18n.js";

const dialog = element("shortcuts-dialog", HTMLDialogElement);
const list = element("shortcut-list", HTMLElement);
const onBox = element("shortcuts-on", HTMLInputElement);

/** @typedef {"mute" | "camera" | "share" | "hand" | "chat" | "people" | "statistics" | "fullScreen" | "previousPage" | "nextPage"} Deed */

/** @type {Record<Deed, string>} */
const KEYS = {
  mute: "m",
  camera: "v",
  share: "s",
  hand: "h",
  chat: "c",
  people: "p",
  statistics: "t",
  fullScreen: "f",
  previousPage: "[",
  nextPage: "]",
};
const HELP = "?";

/** @param {HTMLElement} call the screen on which the keys work @param {Record<Deed, () => void>} deeds */
export function listenForShortcuts(call, deeds) {
  onBox.checked = recall("shortcuts") !== false;
  onBox.addEventListener("change", () => remember("shortcuts", onBox.checked));
  button("shortcuts-open").addEventListener("click", () => dialog.showModal());
  inEachLanguage(showList);
  document.addEventListener("keydown", (event) => {
    if (call.hidden || !onBox.checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.defaultPrevented || takesText(event.target) || document.querySelector("dialog[open]")) return;
    const deed = Object.keys(KEYS).find((name) => KEYS[/** @type {Deed} */ (name)] === event.key.toLowerCase());
    if (deed) deeds[/** @type {Deed} */ (deed)]();
    else if (event.key === HELP) dialog.showModal();
    else return;
    event.preventDefault();
  });
}

function showList() {
  const rows = [...Object.entries(KEYS), ["shortcuts", HELP]];
  list.replaceChildren(...rows.flatMap(([name, key]) => [
    make("dt", "", t(`shortcut.${name}`)),
    make("dd", "", make("kbd", "", key.toUpperCase())),
  ]));
}

/** @param {EventTarget | null} target */
function takesText(target) {
  return target instanceof HTMLElement && target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
}
