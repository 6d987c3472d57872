// The three selects for camera, microphone and speaker, in the lobby and in the call's dialog.

import { listDevices, onDevicesChanged } from "../../media/capture.js";
import { remember } from "../headless/remembered.js";
import { inEachLanguage, t } from "../texts/i18n.js";
import { make } from "./elements.js";
import { notify } from "./notices.js";
import { chooseSpeaker, speakerChoice, speakerInUse, speakersAre } from "./speaker.js";

/**
 * @typedef {import("../../media/capture.js").LocalMedia} LocalMedia
 * @typedef {{ deviceId: string, label: string }} Device
 */

export class DevicePicker {
  #media;
  #camera = make("select");
  #microphone = make("select");
  #speaker = make("select");

  /** @param {HTMLElement} holder @param {LocalMedia} media */
  constructor(holder, media) {
    this.#media = media;
    const rows = [
      { kind: "camera", select: this.#camera },
      { kind: "microphone", select: this.#microphone },
      ...(speakerChoice ? [{ kind: "speaker", select: this.#speaker }] : []),
    ];
    for (const { kind, select } of rows) {
      const title = make("span");
      inEachLanguage(() => (title.textContent = t(`device.${kind}`)));
      holder.append(make("label", "", title, select));
    }
    this.#camera.addEventListener("change", () => this.#switch("camera", this.#camera.value));
    this.#microphone.addEventListener("change", () => this.#switch("microphone", this.#microphone.value));
    this.#speaker.addEventListener("change", () => this.#chooseSpeaker(this.#speaker.value));
    media.on("changed", () => this.refresh());
    onDevicesChanged(() => this.refresh());
    inEachLanguage(() => this.refresh());
  }

  async refresh() {
    const { cameras, microphones, speakers } = await listDevices();
    const { camera, microphone } = this.#media.state;
    if (speakersAre(speakers.map(({ deviceId }) => deviceId))) notify(t("device.lost.speaker"));
    fill(this.#camera, "camera", cameras, camera.deviceId);
    fill(this.#microphone, "microphone", microphones, microphone.deviceId);
    fill(this.#speaker, "speaker", speakers, speakerInUse());
  }

  /** @param {"camera" | "microphone"} kind @param {string} deviceId */
  async #switch(kind, deviceId) {
    const problem = await this.#media.switchDevice(kind, deviceId);
    if (problem) notify(t(`problem.${kind}.${problem}`));
    else remember(kind, deviceId);
    this.refresh();
  }

  /** @param {string} deviceId */
  async #chooseSpeaker(deviceId) {
    if (!(await chooseSpeaker(deviceId))) notify(t("device.speakerFailed"));
    this.refresh();
  }
}

/** @param {HTMLSelectElement} select @param {string} kind @param {Device[]} devices @param {string | null} chosen */
function fill(select, kind, devices, chosen) {
  const options = devices.map(({ deviceId, label }, index) => {
    const unnamed = t("device.unnamed", { kind: t(`device.${kind}`), number: index + 1 });
    return new Option(label || unnamed, deviceId, false, deviceId === chosen);
  });
  const nothing = kind === "speaker" ? t("device.default") : t("device.none");
  select.replaceChildren(...(options.length ? options : [new Option(nothing, "")]));
  select.disabled = options.length === 0;
}
