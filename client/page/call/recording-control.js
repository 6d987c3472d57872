// The record button, and the notices that a recording is on: here, or at somebody else's.

import { Recorder } from "../../recording/recorder.js";
import { findLeftBehind } from "../../recording/store.js";
import { button, element } from "../parts/elements.js";
import { notify } from "../parts/notices.js";
import { inEachLanguage, t } from "../texts/i18n.js";
import { nameOf } from "../texts/names.js";
import { offerRecording } from "./recording-offer.js";

/**
 * @typedef {import("../../recording/recorder.js").Participant} Participant
 * @typedef {import("../../recording/recorder.js").Recording} Recording
 * @typedef {import("../../protocol/room.js").Room} Room
 */

const recordButton = button("record");
const badge = element("recording-badge", HTMLElement);

export class RecordingControl {
  #room;
  #participants;
  #recorder = new Recorder();
  #starting = false;
  /** @type {Set<string>} */
  #recordingMates = new Set();

  /** @param {Room} room @param {() => Participant[]} participants */
  constructor(room, participants) {
    this.#room = room;
    this.#participants = participants;
    recordButton.hidden = !Recorder.supported;
    recordButton.addEventListener("click", () => this.#toggle());
    this.#recorder.on("started", () => {
      room.setPresence({ recording: true });
      notify(t("recording.ownStarted"));
      this.#show();
    });
    this.#recorder.on("progress", () => this.#show());
    this.#recorder.on("stopped", (recording) => {
      room.setPresence({ recording: false });
      this.#offer(recording);
      this.#show();
    });
    room.on("presence", (mate) => {
      const before = this.#recordingMates.has(mate.clientId);
      const now = mate.presence?.recording ?? false;
      if (now) this.#recordingMates.add(mate.clientId);
      else this.#recordingMates.delete(mate.clientId);
      if (before !== now) notify(t(now ? "recording.started" : "recording.stopped", { name: nameOf(mate) }));
      this.#show();
    });
    room.on("mate-left", ({ clientId }) => {
      this.#recordingMates.delete(clientId);
      this.#show();
    });
    inEachLanguage(() => this.#show());
    addEventListener("beforeunload", (event) => {
      if (this.#recorder.recording) event.preventDefault();
    });
    if (!Recorder.supported) return;
    findLeftBehind((recording) => offerRecording("recording.leftBehind", recording))
      .catch((error) => console.warn("Earlier recordings could not be looked for:", error));
  }

  /** Somebody came, went, or looks different. */
  update() {
    if (this.#recorder.recording) this.#recorder.setParticipants(this.#participants());
  }

  /** Also while people still choose a file. */
  async stop() {
    await this.#recorder.stop();
  }

  async #toggle() {
    if (this.#recorder.recording) return this.stop();
    if (this.#starting) return;
    this.#starting = true;
    try {
      const fileName = `signalpost-${new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-")}`;
      await this.#recorder.start({ fileName, participants: this.#participants });
    } catch (error) {
      const unsupported = error instanceof Error && "code" in error && error.code === "unsupported";
      notify(t(unsupported ? "recording.unsupported" : "recording.notStarted"));
    } finally {
      this.#starting = false;
    }
  }

  /** @param {Recording} recording */
  #offer({ reason, durationMs, bytes, saved, file, fileName, discard }) {
    if (reason === "limit") notify(t("recording.limit"));
    if (reason === "error") notify(bytes ? t("recording.brokeOff", { time: clock(durationMs) }) : t("recording.lost"));
    if (saved) notify(t("recording.saved", { name: fileName }));
    if (file) offerRecording("recording.ready", { fileName, open: async () => file, discard });
  }

  #show() {
    const { recording, elapsedMs } = this.#recorder;
    const label = recordButton.querySelector("span");
    if (label) label.textContent = t(recording ? "control.stopRecording" : "control.record");
    const [clientId] = this.#recordingMates;
    const mate = clientId && this.#room.mates.get(clientId);
    badge.hidden = !recording && !mate;
    if (recording) badge.textContent = t("recording.own", { time: clock(elapsedMs) });
    else if (mate) badge.textContent = t("recording.by", { name: nameOf(mate) });
  }
}

/** @param {number} elapsedMs */
function clock(elapsedMs) {
  const seconds = Math.floor(elapsedMs / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
