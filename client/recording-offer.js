// Recordings that lie in the browser, each offered in a notice until people delete it.

import { t } from "./i18n.js";
import { keepNotice, notify } from "./notices.js";
import { make } from "./page.js";

/** @typedef {{ fileName: string, open: () => Promise<File>, discard: () => Promise<void> }} KeptRecording */

/** @param {string} text @param {KeptRecording} recording */
export function offerRecording(text, { fileName, open, discard }) {
  const download = makeButton(t("recording.download"));
  const remove = makeButton(t("recording.delete"));
  const end = keepNotice(`${text}: `, download, remove);
  const link = Object.assign(make("a"), { download: fileName });
  let downloaded = false;
  const warn = (/** @type {Event} */ event) => event.preventDefault();
  addEventListener("beforeunload", warn);
  download.addEventListener("click", async () => {
    try {
      // Each time: a page that is just going may still commit what it wrote, and an older look at the file is void.
      const file = await open();
      URL.revokeObjectURL(link.href);
      link.href = URL.createObjectURL(file);
      link.click();
      downloaded = true;
      removeEventListener("beforeunload", warn);
    } catch (error) {
      console.warn("A recording could not be opened:", error);
      notify(t("recording.notOpened"));
    }
  });
  remove.addEventListener("click", () => {
    if (!downloaded && !confirm(t("recording.deleteUnsaved"))) return;
    end();
    removeEventListener("beforeunload", warn);
    URL.revokeObjectURL(link.href);
    discard().catch((error) => console.warn("A recording could not be deleted:", error));
  });
}

/** @param {string} label */
function makeButton(label) {
  return Object.assign(make("button", "quiet small", label), { type: "button" });
}
