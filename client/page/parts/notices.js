// Notices, read out by screen readers: most are gone after a while, some stay until they are dismissed.

import { t } from "../texts/i18n.js";
import { element, make } from "./elements.js";

const SHOWN_MS = 7_000;
const AT_ONCE = 3;

const region = element("notices", HTMLElement);

/** @param {string} text */
export function notify(text) {
  // Beside a modal dialog nothing is read out.
  const holder = document.querySelector("dialog[open] .notices") ?? region;
  const notice = make("p", "passing", text);
  holder.append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
  const passing = holder.querySelectorAll(".passing");
  if (passing.length > AT_ONCE) passing[0].remove();
}

/** @param {(Node | string)[]} parts */
export function notifyForGood(...parts) {
  const dismiss = noticeButton("control.dismiss");
  dismiss.addEventListener("click", keepNotice(...parts, dismiss));
}

/** @param {(Node | string)[]} parts @returns {() => void} takes it away, as nothing else does */
export function keepNotice(...parts) {
  const notice = make("p", "", ...parts);
  region.append(notice);
  return () => notice.remove();
}

/** @param {string} key of its label */
export function noticeButton(key) {
  const made = words("button", key);
  made.className = "quiet small";
  made.type = "button";
  return made;
}

/**
 * Words that change with the page's language, as those of its markup do.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} key
 */
export function words(tag, key) {
  const made = make(tag, "", t(key));
  made.dataset.text = key;
  return made;
}
