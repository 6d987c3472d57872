// Recordings that lie in the browser, each offered in a notice until people have it, or delete it.

import { make } from "../parts/elements.js";
import { keepNotice, noticeButton, notify, words } from "../parts/notices.js";
import { t } from "../texts/i18n.js";

/** @typedef {import("../../recording/store.js").KeptRecording} KeptRecording */

/** @param {string} key of what there is to say @param {KeptRecording} recording */
export function offerRecording(key, { fileName, open, discard }) {
  const download = noticeButton("recording.download");
  const remove = noticeButton("recording.delete");
  const dismiss = noticeButton("control.dismiss");
  dismiss.hidden = true;
  const takeAway = keepNotice(words("span", key), ": ", download, remove, dismiss);
  const link = Object.assign(make("a"), { download: fileName });
  const warn = (/** @type {Event} */ event) => event.preventDefault();
  const end = () => {
    takeAway();
    removeEventListener("beforeunload", warn);
    URL.revokeObjectURL(link.href);
  };
  addEventListener("beforeunload", warn);
  download.addEventListener("click", async () => {
    try {
      // Each time: a page that is just going may still commit what it wrote, and an older look at the file is void.
      const file = await open();
      URL.revokeObjectURL(link.href);
      link.href = URL.createObjectURL(file);
      link.click();
      dismiss.hidden = false;
      removeEventListener("beforeunload", warn);
    } catch (error) {
      console.warn("A recording could not be opened:", error);
      notify(t("recording.notOpened"));
    }
  });
  remove.addEventListener("click", () => {
    if (dismiss.hidden && !confirm(t("recording.deleteUnsaved"))) return;
    end();
    discard().catch((error) => console.warn("A recording could not be deleted:", error));
  });
  // A download may still fail, or be lost: the browser keeps its file for a day.
  dismiss.addEventListener("click", end);
}
