// What one connection sends: microphone and camera on the first two m-lines, a shared screen and its
// sound on two more. Tracks come and go by replaceTrack(), so that only a screen share negotiates.

import { applyBudget, budgetFor } from "./budget.js";

/**
 * @typedef {"microphone" | "camera"} DeviceKind
 * @typedef {"audio" | "video"} TrackKind
 * @typedef {DeviceKind | "screenSound" | "screen"} Slot
 */

/** @type {Record<DeviceKind, TrackKind>} */
const DEVICE_TRACKS = { microphone: "audio", camera: "video" };

export class Sender {
  #connection;
  #stream;
  /** @type {Record<DeviceKind, MediaStreamTrack | null>} */
  #tracks;
  /** @type {MediaStream | null} */
  #screen;
  #ready = false;
  /** @type {Map<Slot, RTCRtpTransceiver>} */
  #transceivers = new Map();
  #budget = budgetFor(1);
  /** @type {Promise<unknown>} */
  #budgeting = Promise.resolve();

  /**
   * @param {RTCPeerConnection} connection
   * @param {MediaStream | null} stream
   * @param {MediaStream | null} screen
   */
  constructor(connection, stream, screen) {
    this.#connection = connection;
    this.#stream = stream;
    this.#screen = screen;
    this.#tracks = { microphone: trackOf(stream, "audio"), camera: trackOf(stream, "video") };
  }

  get ready() {
    return this.#ready;
  }

  /** Before the first offer: it must have room for both kinds, whatever is to be sent now. */
  offerAll() {
    for (const slot of deviceKinds) this.#add(slot, DEVICE_TRACKS[slot], this.#tracks[slot], this.#stream);
    this.#ready = true;
    this.setScreen(this.#screen);
  }

  /** After the first offer came: its m-lines are used in both directions, instead of more of them. */
  async answerAll() {
    this.#ready = true;
    for (const slot of deviceKinds) {
      const offered = this.#firstOf(DEVICE_TRACKS[slot]);
      if (!offered) {
        // The other side offered no such kind; there is something to negotiate only if there is something to send.
        if (this.#tracks[slot]) this.#add(slot, DEVICE_TRACKS[slot], this.#tracks[slot], this.#stream);
        continue;
      }
      this.#transceivers.set(slot, offered);
      offered.direction = "sendrecv";
      if (this.#stream) offered.sender.setStreams?.(this.#stream);
      await offered.sender.replaceTrack(this.#tracks[slot]);
    }
    this.setScreen(this.#screen);
  }

  /** Whether this is the m-line of the other's camera or microphone. @param {RTCRtpTransceiver} transceiver */
  isForDevice(transceiver) {
    const kind = transceiver.receiver.track.kind === "audio" ? "audio" : "video";
    return this.#firstOf(kind) === transceiver;
  }

  /** @param {DeviceKind} slot @param {MediaStreamTrack | null} track */
  async setTrack(slot, track) {
    this.#tracks[slot] = track;
    if (!this.#ready) return;
    const transceiver = this.#transceivers.get(slot);
    if (transceiver) await transceiver.sender.replaceTrack(track);
    else if (track) this.#add(slot, DEVICE_TRACKS[slot], track, this.#stream);
    // Another camera may give another size.
    await this.applyBudget();
  }

  /** @param {MediaStream | null} stream */
  setScreen(stream) {
    this.#screen = stream;
    if (!this.#ready) return;
    this.#share("screen", "video", stream);
    this.#share("screenSound", "audio", stream);
  }

  /** @param {number} peerCount */
  setPeerCount(peerCount) {
    this.#budget = budgetFor(peerCount);
    return this.applyBudget();
  }

  /** One at a time: a sender's parameters must be set before they are read again. */
  applyBudget() {
    this.#budgeting = this.#budgeting.then(async () => {
      for (const slot of /** @type {const} */ (["camera", "screen"])) {
        const sender = this.#transceivers.get(slot)?.sender;
        // A sender that is closed or just being negotiated refuses; the next negotiation asks again.
        if (sender) await applyBudget(sender, this.#budget[slot]).catch(() => {});
      }
    });
    return this.#budgeting;
  }

  /** @param {"screen" | "screenSound"} slot @param {TrackKind} kind @param {MediaStream | null} stream */
  #share(slot, kind, stream) {
    const track = trackOf(stream, kind);
    const transceiver = this.#transceivers.get(slot);
    if (!transceiver || transceiver.direction === "stopped") {
      if (track) this.#add(slot, kind, track, stream, "sendonly");
      return;
    }
    transceiver.direction = track ? "sendonly" : "inactive";
    if (stream) transceiver.sender.setStreams?.(stream);
    transceiver.sender.replaceTrack(track).catch(() => {});
  }

  /**
   * @param {Slot} slot
   * @param {TrackKind} kind
   * @param {MediaStreamTrack | null} track
   * @param {MediaStream | null} stream
   * @param {RTCRtpTransceiverDirection} direction
   */
  #add(slot, kind, track, stream, direction = "sendrecv") {
    const streams = stream ? [stream] : [];
    this.#transceivers.set(slot, this.#connection.addTransceiver(track ?? kind, { direction, streams }));
  }

  /** @param {TrackKind} kind */
  #firstOf(kind) {
    return this.#connection.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
  }
}

const deviceKinds = /** @type {const} */ (["microphone", "camera"]);

/** @param {MediaStream | null} stream @param {TrackKind} kind */
function trackOf(stream, kind) {
  return stream?.getTracks().find((track) => track.kind === kind) ?? null;
}
