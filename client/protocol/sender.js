// What one connection sends: microphone and camera on the first two m-lines, a shared screen and its
// sound on two more. Tracks come and go by replaceTrack(). Only a screen share with a client that does
// not expect one from the start is negotiated.

import { applyBudget, budgetFor } from "./budget.js";

/**
 * @typedef {"microphone" | "camera"} DeviceKind
 * @typedef {"audio" | "video"} TrackKind
 * @typedef {DeviceKind | "screenSound" | "screen"} Slot
 */

/** @type {Record<Slot, TrackKind>} in the order of the m-lines */
const KINDS = { microphone: "audio", camera: "video", screenSound: "audio", screen: "video" };

export class Sender {
  #connection;
  #stream;
  /** @type {Record<DeviceKind, MediaStreamTrack | null>} */
  #tracks;
  /** @type {MediaStream | null} */
  #screen;
  #screenSlots;
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
   * @param {boolean} screenSlots whether both sides expect a screen's m-lines from the start
   */
  constructor(connection, stream, screen, screenSlots) {
    this.#connection = connection;
    this.#stream = stream;
    this.#screen = screen;
    this.#screenSlots = screenSlots;
    this.#tracks = { microphone: trackOf(stream, "audio"), camera: trackOf(stream, "video") };
  }

  /** Before the first offer: it must have room for both kinds, whatever is to be sent now. */
  offerAll() {
    for (const slot of deviceSlots) this.#add(slot, this.#tracks[slot], this.#stream);
    if (this.#screenSlots) for (const slot of screenSlots) this.#add(slot, null, null);
    this.#ready = true;
    this.setScreen(this.#screen);
  }

  /** After an offer came: its m-lines are used in both directions, instead of more of them. */
  async answerAll() {
    // A later offer may stop the m-lines of an earlier one, and bring others in their place.
    const adopting = deviceSlots.map((slot) => this.#answer(slot, this.#tracks[slot], this.#stream));
    if (!this.#ready) {
      if (this.#screenSlots) adopting.push(...screenSlots.map((slot) => this.#answer(slot, null, null)));
      // Before anything is waited for: a track that is set meanwhile must find its m-line.
      this.#ready = true;
      this.setScreen(this.#screen);
    }
    await Promise.all(adopting);
  }

  /** Whether this is the m-line of the other's camera or microphone. @param {RTCRtpTransceiver} transceiver */
  isForDevice(transceiver) {
    return deviceSlots.some((slot) => this.#offered(slot) === transceiver);
  }

  get cameraMid() {
    return this.#offered("camera")?.mid ?? null;
  }

  /** @param {DeviceKind} slot @param {MediaStreamTrack | null} track */
  async setTrack(slot, track) {
    this.#tracks[slot] = track;
    if (!this.#ready) return;
    const transceiver = this.#transceivers.get(slot);
    if (isUsable(transceiver)) await transceiver.sender.replaceTrack(track);
    else if (track) this.#add(slot, track, this.#stream);
    // Another camera may give another size.
    await this.applyBudget();
  }

  /** @param {MediaStream | null} stream */
  setScreen(stream) {
    this.#screen = stream;
    if (!this.#ready) return;
    for (const slot of screenSlots) this.#share(slot, trackOf(stream, KINDS[slot]), stream);
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

  /** @param {Slot} slot @param {MediaStreamTrack | null} track @param {MediaStream | null} stream */
  #share(slot, track, stream) {
    const transceiver = this.#transceivers.get(slot);
    if (!isUsable(transceiver)) {
      if (track) this.#add(slot, track, stream);
      return;
    }
    if (!this.#screenSlots) {
      // Received in any case: browsers put the other side's own screen on the same m-line.
      transceiver.direction = track ? "sendrecv" : "recvonly";
      if (stream) transceiver.sender.setStreams?.(stream);
    }
    transceiver.sender.replaceTrack(track).then(() => this.applyBudget(), () => {});
  }

  /** @param {Slot} slot @param {MediaStreamTrack | null} track @param {MediaStream | null} stream */
  #add(slot, track, stream) {
    const streams = stream ? [stream] : [];
    this.#transceivers.set(slot, this.#connection.addTransceiver(track ?? KINDS[slot], { direction: "sendrecv", streams }));
  }

  /** @param {Slot} slot @param {MediaStreamTrack | null} track @param {MediaStream | null} stream */
  async #answer(slot, track, stream) {
    if (isUsable(this.#transceivers.get(slot))) return;
    const offered = this.#offered(slot);
    if (!offered) {
      // The other side offered no such kind; there is something to negotiate only if there is something to send.
      if (track) this.#add(slot, track, stream);
      return;
    }
    this.#transceivers.set(slot, offered);
    offered.direction = "sendrecv";
    if (stream) offered.sender.setStreams?.(stream);
    await offered.sender.replaceTrack(track);
  }

  /** The m-line that is this slot's by its place: the first of its kind that no other slot has. @param {Slot} slot */
  #offered(slot) {
    const taken = [...this.#transceivers].filter(([other]) => other !== slot).map(([, transceiver]) => transceiver);
    return this.#connection.getTransceivers().find((transceiver) =>
      transceiver.receiver.track.kind === KINDS[slot] && isUsable(transceiver) && !taken.includes(transceiver));
  }
}

const deviceSlots = /** @type {const} */ (["microphone", "camera"]);
const screenSlots = /** @type {const} */ (["screenSound", "screen"]);

/**
 * A refused or removed m-line stops its transceiver for good.
 * @param {RTCRtpTransceiver | undefined} transceiver
 * @returns {transceiver is RTCRtpTransceiver}
 */
function isUsable(transceiver) {
  return transceiver !== undefined && transceiver.direction !== "stopped";
}

/** @param {MediaStream | null} stream @param {TrackKind} kind */
function trackOf(stream, kind) {
  return stream?.getTracks().find((track) => track.kind === kind) ?? null;
}
