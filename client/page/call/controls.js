// The buttons for one's own microphone, camera, screen and hand.

import { ScreenShare } from "../../media/capture.js";
import { remember } from "../headless/remembered.js";
import { button, setIcon } from "../parts/elements.js";
import { notify } from "../parts/notices.js";
import { showSwitch } from "../parts/switch.js";
import { inEachLanguage, t } from "../texts/i18n.js";

/**
 * @typedef {import("../../media/capture.js").LocalMedia} LocalMedia
 * @typedef {import("../../protocol/room.js").Room} Room
 */

const microphoneButton = button("microphone");
const cameraButton = button("camera");
const shareButton = button("share");
const handButton = button("hand");

export class Controls {
  #room;
  #media;
  #share;

  /** @param {Room} room @param {LocalMedia} media @param {ScreenShare} share */
  constructor(room, media, share) {
    this.#room = room;
    this.#media = media;
    this.#share = share;
    microphoneButton.addEventListener("click", () => this.toggleMicrophone());
    cameraButton.addEventListener("click", () => this.toggleCamera());
    shareButton.addEventListener("click", () => this.toggleShare());
    handButton.addEventListener("click", () => this.toggleHand());
    shareButton.hidden = !ScreenShare.supported;
    media.on("changed", () => this.#tell());
    room.on("own-presence", () => this.#show());
    media.on("track", ({ kind, track }) => room.setTrack(kind, track));
    media.on("lost", ({ kind }) => notify(t(`device.lost.${kind}`)));
    share.on("started", ({ stream }) => room.setScreen(stream));
    share.on("ended", () => room.setScreen(null));
    this.#tell();
    inEachLanguage(() => this.#show());
  }

  async toggleMicrophone() {
    const { on } = this.#media.state.microphone;
    remember("microphoneOn", !on);
    const problem = await this.#media.setMuted(on);
    if (problem) notify(t(`problem.microphone.${problem}`));
  }

  mute() {
    if (this.#media.state.microphone.on) this.toggleMicrophone();
  }

  async toggleCamera() {
    const { on } = this.#media.state.camera;
    remember("cameraOn", !on);
    const problem = await this.#media.setCameraOff(on);
    if (problem) notify(t(`problem.camera.${problem}`));
  }

  async toggleShare() {
    if (this.#share.stream) return this.#share.stop();
    const problem = await this.#share.start();
    // Who closed the browser's own question knows that nothing is shared.
    if (problem && problem !== "denied") notify(t("problem.screen"));
  }

  toggleHand() {
    this.#room.setPresence({ handRaised: !this.#room.presence.handRaised });
  }

  #tell() {
    const { microphone, camera } = this.#media.state;
    this.#room.setPresence({ muted: !microphone.on, cameraOff: !camera.on });
  }

  #show() {
    const { muted, cameraOff, handRaised, sharing } = this.#room.presence;
    showSwitch(microphoneButton, !muted, "microphone", "mute", "unmute");
    showSwitch(cameraButton, !cameraOff, "camera", "cameraOff", "cameraOn");
    showActive(shareButton, sharing, "screen", sharing ? "stopSharing" : "share");
    showActive(handButton, handRaised, "hand", handRaised ? "lowerHand" : "raiseHand");
  }
}

/** @param {HTMLButtonElement} control @param {boolean} active @param {string} name @param {string} text */
function showActive(control, active, name, text) {
  setIcon(control, name);
  control.classList.toggle("active", active);
  const label = control.querySelector(".label");
  if (label) label.textContent = t(`control.${text}`);
}
