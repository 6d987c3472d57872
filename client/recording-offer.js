// Recordings that lie in the browser, each offered in a notice until people delete it.

import { t } from "./i18n.js";
import { keepNotice } from "./notices.js";
import { make } from "./page.js";

/** @typedef {{ fileName: string, file: File, discard: () => Promise<void> }} KeptRecording */

/** @param {string} text @param {KeptRecording} recording */
export function offerRecording(text, { fileName, file, discard }) {
  const link = make("a", "", t("recording.download"));
  link.href = URL.createObjectURL(file);
  link.download = fileName;
  let downloaded = false;
  const warn = (/** @type {Event} */ event) => event.preventDefault();
  addEventListener("beforeunload", warn);
  link.addEventListener("click", () => {
    downloaded = true;
    removeEventListener("beforeunload", warn);
  });
  const remove = make("button", "quiet small", t("recording.delete"));
  remove.type = "button";
  const end = keepNotice(`${text}: `, link, remove);
  remove.addEventListener("click", () => {
    if (!downloaded && !confirm(t("recording.deleteUnsaved"))) return;
    end();
    removeEventListener("beforeunload", warn);
    URL.revokeObjectURL(link.href);
    discard().catch((error) => console.warn("A recording could not be deleted:", error));
  });
}
