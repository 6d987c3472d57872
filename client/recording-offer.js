// Recordings that lie in the browser, each offered in a notice until people delete it.

import { t } from "./i18n.js";
import { keepNotice } from "./notices.js";
import { make } from "./page.js";

/** @typedef {{ fileName: string, open: () => Promise<File>, discard: () => Promise<void> }} KeptRecording */

/** @param {string} text @param {KeptRecording} recording */
export function offerRecording(text, { fileName, open, discard }) {
  const link = make("a", "", t("recording.download"));
  link.href = "#";
  link.download = fileName;
  let url = "";
  let downloaded = false;
  const warn = (/** @type {Event} */ event) => event.preventDefault();
  addEventListener("beforeunload", warn);
  link.addEventListener("click", async (event) => {
    if (!url) {
      event.preventDefault();
      // Only now: a page that is just going may still commit what it wrote, and an older look at it is void.
      url = URL.createObjectURL(await open());
      link.href = url;
      return link.click();
    }
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
    URL.revokeObjectURL(url);
    discard().catch((error) => console.warn("A recording could not be deleted:", error));
  });
}
