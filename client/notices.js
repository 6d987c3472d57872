// Short notices at the foot of the page, read out by screen readers, gone after a while.

import { t } from "./i18n.js";
import { element, make } from "./page.js";

const SHOWN_MS = 7_000;
const AT_ONCE = 3;

const notices = element("notices", HTMLElement);

/** @param {string} text @param {Node[]} extra such as a link */
export function notify(text, ...extra) {
  const notice = make("p", "", text, ...extra);
  notices.append(notice);
  // What can be acted on waits for it.
  if (extra.length) {
    notice.append(dismissal(notice));
    return;
  }
  notice.className = "passing";
  setTimeout(() => notice.remove(), SHOWN_MS);
  const passing = notices.querySelectorAll(".passing");
  if (passing.length > AT_ONCE) passing[0].remove();
}

/** @param {string} text @param {Node[]} actions @returns {() => void} takes it away, as nothing else does */
export function keepNotice(text, ...actions) {
  const notice = make("p", "", text, ...actions);
  notices.append(notice);
  return () => notice.remove();
}

/** @param {HTMLElement} notice */
function dismissal(notice) {
  const dismiss = make("button", "quiet small", t("control.dismiss"));
  dismiss.type = "button";
  dismiss.addEventListener("click", () => notice.remove());
  return dismiss;
}
