// Notices, read out by screen readers: most are gone after a while, some stay until they are dismissed.

import { t } from "./i18n.js";
import { element, make } from "./page.js";

const SHOWN_MS = 7_000;
const AT_ONCE = 3;

const region = element("notices", HTMLElement);

/** @param {string} text @param {Node[]} extra such as a button, which waits for whoever presses it */
export function notify(text, ...extra) {
  if (extra.length) return notifyForGood(text, ...extra);
  // Beside a modal dialog nothing is read out.
  const holder = document.querySelector("dialog[open] .notices") ?? region;
  const notice = make("p", "passing", text);
  holder.append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
  const passing = holder.querySelectorAll(".passing");
  if (passing.length > AT_ONCE) passing[0].remove();
}

/** @param {string} text @param {Node[]} extra */
export function notifyForGood(text, ...extra) {
  const dismiss = make("button", "quiet small", t("control.dismiss"));
  dismiss.type = "button";
  dismiss.addEventListener("click", keepNotice(text, ...extra, dismiss));
}

/** @param {string} text @param {Node[]} actions @returns {() => void} takes it away, as nothing else does */
export function keepNotice(text, ...actions) {
  const notice = make("p", "", text, ...actions);
  region.append(notice);
  return () => notice.remove();
}
