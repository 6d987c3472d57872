// A host asks one to mute oneself: a notice offers it, and nobody does it but oneself.

import { button, make } from "../parts/elements.js";
import { keepNotice, noticeButton } from "../parts/notices.js";
import { t } from "../texts/i18n.js";
import { nameOf } from "../texts/names.js";

/**
 * @typedef {import("../../media/capture.js").LocalMedia} LocalMedia
 * @typedef {import("../../protocol/mates.js").Mate} Mate
 * @typedef {import("../../protocol/room.js").Room} Room
 */

const microphoneButton = button("microphone");

export class MuteRequest {
  #media;
  #onMute;
  #takeAway = () => {};

  /** @param {Room} room @param {LocalMedia} media @param {() => void} onMute */
  constructor(room, media, onMute) {
    this.#media = media;
    this.#onMute = onMute;
    room.on("mute-requested", (mate) => this.#show(mate));
    media.on("changed", () => {
      if (!media.state.microphone.on) this.close();
    });
  }

  close() {
    this.#takeAway();
  }

  /** @param {Mate} mate */
  #show(mate) {
    this.close();
    if (!this.#media.state.microphone.on) return;
    const mute = noticeButton("control.mute");
    const dismiss = noticeButton("control.dismiss");
    this.#takeAway = keepNotice(make("span", "", t("hosting.asksYou", { name: nameOf(mate) })), mute, dismiss);
    mute.addEventListener("click", () => this.#onMute());
    for (const choice of [mute, dismiss]) {
      choice.addEventListener("click", () => {
        this.close();
        microphoneButton.focus();
      });
    }
  }
}
