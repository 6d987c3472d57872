// One participant on the stage, or the screen of one.

import { icon, make, setIcon, setText } from "../parts/elements.js";
import { notify } from "../parts/notices.js";
import { playOnChosenSpeaker } from "../parts/speaker.js";
import { t } from "../texts/i18n.js";

/** @typedef {import("../../protocol/presence.js").Presence} Presence */

const HUES = [210, 260, 330, 15, 170, 130, 290, 40];

export class Tile {
  element = make("li", "tile");
  /** @type {() => void} */
  onPin = () => {};
  #video = make("video");
  #letter = make("span");
  #avatar = make("div", "avatar", this.#letter);
  #mutedMark = mark("microphoneOff");
  #handMark = mark("hand");
  #speakingMark = mark("speaker");
  #name = make("bdi", "name");
  #note = make("p", "note");
  #pinButton = make("button", "icon-only");
  #windowButton = make("button", "icon-only");
  #forgetSpeaker;
  #title = "";
  #noteKey = "";

  /** @param {{ local?: boolean, isScreen?: boolean, seed?: string }} options */
  constructor({ local = false, isScreen = false, seed = "" } = {}) {
    this.local = local;
    this.isScreen = isScreen;
    this.element.classList.toggle("local", local);
    this.element.classList.toggle("screen", isScreen);
    this.#video.autoplay = true;
    this.#video.playsInline = true;
    // One's own voice from the loudspeaker would feed back.
    this.#video.muted = local;
    this.#forgetSpeaker = local ? () => {} : playOnChosenSpeaker(this.#video);
    this.#avatar.ariaHidden = "true";
    this.#avatar.style.setProperty("--hue", String(HUES[sumOf(seed) % HUES.length]));
    this.#pinButton.addEventListener("click", () => this.onPin());
    this.#windowButton.addEventListener("click", () => this.showInWindow());
    for (const control of [this.#pinButton, this.#windowButton]) control.type = "button";
    setIcon(this.#pinButton, "pin");
    setIcon(this.#windowButton, "pictureInPicture");
    this.#windowButton.hidden = !document.pictureInPictureEnabled;
    const caption = make("div", "caption", this.#mutedMark, this.#speakingMark, this.#handMark, this.#name);
    const actions = make("div", "tile-actions", this.#pinButton, this.#windowButton);
    this.element.append(this.#avatar, this.#video, caption, this.#note, actions);
    this.showPresence(null);
    this.showSpeaking(false);
  }

  /** @param {string} name as people read it @param {string} title of the tile, which may say more */
  rename(name, title = name) {
    this.#title = title;
    this.#name.textContent = title;
    this.#letter.textContent = [...name.trim()][0]?.toUpperCase() ?? "";
    this.#video.ariaLabel = this.isScreen ? title : t("tile.video", { name });
    this.#mutedMark.ariaLabel = t("tile.muted");
    this.#handMark.ariaLabel = t("tile.hand");
    this.#speakingMark.ariaLabel = t("tile.speaking");
    this.#windowButton.ariaLabel = t("tile.pictureInPicture", { name: title });
    this.showPinned(this.#pinButton.ariaPressed === "true");
    this.#showNote();
  }

  /** @param {MediaStream | null} stream */
  show(stream) {
    // Setting the same stream again, for its second track, would restart playback.
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
  }

  /** @param {boolean} visible */
  showPicture(visible) {
    this.#video.hidden = !visible;
    this.#avatar.hidden = visible;
    // Not disabled: that would take the focus whenever a camera goes off.
    this.#windowButton.ariaDisabled = String(!visible);
  }

  /** @param {Presence | null} presence */
  showPresence(presence) {
    this.#mutedMark.hidden = !presence?.muted;
    this.#handMark.hidden = !presence?.handRaised;
  }

  /** @param {boolean} speaking */
  showSpeaking(speaking) {
    this.element.classList.toggle("speaking", speaking);
    this.#speakingMark.hidden = !speaking;
  }

  /** @param {string} state of the connection */
  showState(state) {
    this.element.dataset.state = state;
    if (state === "connected") this.#noteKey = "";
    // Why it failed says more than that it did.
    else if (!this.#isUnreachable) this.#noteKey = `state.${state}`;
    this.#showNote();
  }

  /** @param {string} cause */
  showUnreachable(cause) {
    this.#noteKey = `unreachable.${cause}`;
    this.#showNote();
  }

  /** What there is to say of the connection. */
  get note() {
    return this.#noteKey && t(this.#noteKey);
  }

  /** @param {boolean} pinned */
  showPinned(pinned) {
    this.#pinButton.ariaPressed = String(pinned);
    this.#pinButton.ariaLabel = pinned ? t("tile.unpin") : t("tile.pin", { name: this.#title });
  }

  /** @param {import("../headless/layout.js").Box | null} box null where it is on another page */
  place(box) {
    this.element.hidden = !box;
    if (!box) return;
    for (const side of /** @type {const} */ (["left", "top", "width", "height"])) {
      this.element.style[side] = `${Math.floor(box[side])}px`;
    }
  }

  async showInWindow() {
    if (document.pictureInPictureElement === this.#video) return document.exitPictureInPicture();
    if (this.#video.hidden || !this.#video.videoWidth) return notify(t("tile.noPicture", { name: this.#title }));
    try {
      await this.#video.requestPictureInPicture();
    } catch (error) {
      console.warn("No small window:", error);
      notify(t("tile.noWindow"));
    }
  }

  remove() {
    // A removed element with a stream goes on sounding until it is collected.
    this.#video.srcObject = null;
    this.#forgetSpeaker();
    this.element.remove();
  }

  #showNote() {
    this.#note.classList.toggle("strong", this.#isUnreachable);
    setText(this.#note, this.note);
  }

  get #isUnreachable() {
    return this.#noteKey.startsWith("unreachable.");
  }
}

/** @param {string} name */
function mark(name) {
  const made = make("span", "", icon(name));
  made.dataset.icon = name;
  made.role = "img";
  return made;
}

/** @param {string} text */
function sumOf(text) {
  return [...text].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0);
}
