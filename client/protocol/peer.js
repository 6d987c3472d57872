// One RTCPeerConnection to one room-mate, by perfect negotiation:
// https://www.w3.org/TR/webrtc/#perfect-negotiation-example

import { Events } from "./events.js";
import { fromOtherSources, hasFragment, isRelay } from "./sdp.js";
import { Sender } from "./sender.js";
import { pathIn } from "./stats.js";

/**
 * @typedef {import("./messages.js").Signal} Signal
 * @typedef {import("./sender.js").DeviceKind} DeviceKind
 * @typedef {{ type: "offer" | "answer", sdp: RTCSessionDescription } | { type: "candidate", candidate: RTCIceCandidateInit | null }} OwnSignal
 *
 * @typedef {object} PeerOptions
 * @property {boolean} polite whether it gives way when both offer at once
 * @property {RTCIceServer[]} iceServers
 * @property {MediaStream | null} stream camera and microphone, to send
 * @property {MediaStream | null} [screen] to send beside them
 * @property {boolean} [screenSlots] both sides have m-lines for a screen from the start, so that none is negotiated;
 *   setSharing() then says when the other one is in use
 * @property {(signal: OwnSignal) => void} send
 *
 * @typedef {"needs-turn" | "no-path" | "no-answer"} Obstacle needs-turn: neither side has a relay;
 *   no-path: not even over a relay; no-answer: the other side never described itself
 *
 * @typedef {object} PeerEvents
 * @property {MediaStream} stream always the same; a track of it came or went
 * @property {MediaStream | null} screen the other side shares its screen, or no more
 * @property {RTCPeerConnectionState} state
 * @property {{ cause: Obstacle }} unreachable for now; it goes on trying
 * @property {unknown} fault a signal that could not be used
 */

const PATIENCE_MS = 20_000;
const POLITE_DELAY_MS = 2_000;
const MOST_EARLY_CANDIDATES = 200;

/** @extends {Events<PeerEvents>} */
export class Peer extends Events {
  #connection;
  #sender;
  #polite;
  #send;
  // The newcomer offers first. Until then the polite side would only cause a collision, and a
  // simple client at the other end could not resolve it.
  #mayOffer;
  #makingOffer = false;
  #ignoringOffer = false;
  /** The last description that was taken, as it came: the browser's own copy grows with each candidate. */
  #takenSdp = "";
  /** How often the offer under way was sent again, and how many answers to the one before may still come for that. */
  #repeats = 0;
  #lateAnswers = 0;
  /** @type {Promise<void>} */
  #received = Promise.resolve();
  /** @type {(RTCIceCandidateInit | null)[]} */
  #earlyCandidates = [];
  #sawRelay;
  #wasConnected = false;
  // Streams of our own: some clients name one for each track, the same one for camera and screen, or none.
  #devices = new MediaStream();
  #screen = new MediaStream();
  /** @type {Set<string>} the other side's */
  #deviceStreamIds = new Set();
  #screenSlots;
  #showsScreen = false;
  #patienceTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #answerTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;

  /** @param {PeerOptions} options @param {typeof RTCPeerConnection} Connection */
  constructor({ polite, iceServers, stream, screen = null, screenSlots = false, send }, Connection = RTCPeerConnection) {
    super();
    this.#polite = polite;
    this.#mayOffer = !polite;
    this.#screenSlots = screenSlots;
    this.#send = send;
    this.#sawRelay = iceServers.some(isTurn);
    this.#connection = new Connection({ iceServers });
    this.#sender = new Sender(this.#connection, stream, screen, screenSlots);
    this.#listen();
    if (!polite) this.#sender.offerAll();
    this.#patienceTimer = setTimeout(() => this.#explain(), PATIENCE_MS);
  }

  /**
   * Signals are taken one after another: a candidate may belong to the description just before it.
   * @param {Signal} signal
   */
  receive(signal) {
    this.#received = this.#received.then(async () => {
      try {
        if (signal.type === "candidate") await this.#receiveCandidate(signal.candidate);
        // The type is the envelope's: a description of another type (rollback) is not for others to send.
        else await this.#receiveDescription({ type: signal.type, sdp: signal.sdp.sdp });
      } catch (error) {
        this.#report(error);
      }
    });
    return this.#received;
  }

  /** @param {DeviceKind} kind @param {MediaStreamTrack | null} track */
  async setTrack(kind, track) {
    try {
      await this.#sender.setTrack(kind, track);
    } catch (error) {
      this.#report(error);
    }
  }

  /** @param {MediaStream | null} stream */
  setScreen(stream) {
    this.#sender.setScreen(stream);
  }

  /** Whether the other side uses its screen's m-lines. @param {boolean} sharing */
  setSharing(sharing) {
    if (this.#screenSlots) this.#showScreen(sharing);
  }

  /** How many share what this device can encode and upload. @param {number} peerCount */
  setPeerCount(peerCount) {
    return this.#sender.setPeerCount(peerCount);
  }

  /**
   * Goes by these from now on. What a relay keeps for us ends with the credentials of before: there is a new path then.
   * @param {RTCIceServer[]} iceServers
   */
  async setIceServers(iceServers) {
    this.#sawRelay ||= iceServers.some(isTurn);
    try {
      this.#connection.setConfiguration({ ...this.#connection.getConfiguration(), iceServers });
      const path = pathIn(await this.#connection.getStats());
      if (path?.local === "relay") this.restart();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Looks for a new path, as after a change of network. */
  restart() {
    this.#connection.restartIce();
  }

  /** By which the cameras' m-line goes in descriptions and statistics, as soon as it has one. */
  get cameraMid() {
    return this.#sender.cameraMid;
  }

  getStats() {
    return this.#connection.getStats();
  }

  get state() {
    return this.#connection.connectionState;
  }

  close() {
    for (const timer of [this.#patienceTimer, this.#answerTimer, this.#restartTimer]) clearTimeout(timer);
    this.#connection.close();
  }

  #listen() {
    const connection = this.#connection;
    connection.onnegotiationneeded = () => this.#offer();
    connection.onicecandidate = ({ candidate }) => {
      this.#sawRelay ||= isRelay(candidate);
      this.#send({ type: "candidate", candidate: candidate && candidate.toJSON() });
    };
    connection.ontrack = (event) => this.#showTrack(event);
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "connected") {
        this.#wasConnected = true;
        clearTimeout(this.#patienceTimer);
      }
      this.emit("state", connection.connectionState);
    };
    connection.oniceconnectionstatechange = () => {
      if (connection.iceConnectionState !== "failed") return;
      this.#explain();
      // Both sides see it fail at once; a moment's head start for one of them avoids a collision.
      if (this.#polite) this.#restartTimer = setTimeout(() => this.#restartIfFailed(), POLITE_DELAY_MS);
      else connection.restartIce();
    };
  }

  #restartIfFailed() {
    if (this.#connection.iceConnectionState === "failed") this.#connection.restartIce();
  }

  /** @param {RTCTrackEvent} event */
  #showTrack({ track, streams, transceiver }) {
    const isForDevice = this.#sender.isForDevice(transceiver) || this.#isDeviceAgain(track, streams);
    if (isForDevice) for (const { id } of streams) this.#deviceStreamIds.add(id);
    // Of a screen without a stream nobody would ever tell the end.
    if (!isForDevice && !this.#screenSlots && streams.length === 0) return;
    const shown = isForDevice ? this.#devices : this.#screen;
    const show = () => {
      if (isForDevice) this.emit("stream", shown);
      else if (!this.#screenSlots) this.#showScreen(shown.getTracks().length > 0);
    };
    shown.addTrack(track);
    show();
    for (const stream of streams) {
      stream.addEventListener("removetrack", (event) => {
        if (event.track !== track || !shown.getTracks().includes(track)) return;
        shown.removeTrack(track);
        show();
      });
    }
  }

  /**
   * Other clients may turn a camera off by removeTrack(), and on by addTrack(), which takes an m-line of its own.
   * @param {MediaStreamTrack} track
   * @param {readonly MediaStream[]} streams
   */
  #isDeviceAgain({ kind }, streams) {
    return !this.#screenSlots && this.#devices.getTracks().every((track) => track.kind !== kind) &&
      streams.some(({ id }) => this.#deviceStreamIds.has(id));
  }

  /** @param {boolean} shown */
  #showScreen(shown) {
    if (shown === this.#showsScreen) return;
    this.#showsScreen = shown;
    this.emit("screen", shown ? this.#screen : null);
  }

  #explain() {
    // A path that was there and broke says nothing of what the networks allow.
    if (this.#wasConnected) return;
    if (!this.#connection.remoteDescription) return this.emit("unreachable", { cause: "no-answer" });
    this.emit("unreachable", { cause: this.#sawRelay ? "no-path" : "needs-turn" });
  }

  async #offer() {
    if (!this.#mayOffer) return;
    try {
      this.#makingOffer = true;
      this.#repeats = 0;
      await this.#describe();
    } catch (error) {
      this.#report(error);
    } finally {
      this.#makingOffer = false;
    }
  }

  /** @param {{ type: "offer" | "answer", sdp: string }} description */
  async #receiveDescription(description) {
    const isOffer = description.type === "offer";
    if (isOffer ? this.#answeredBefore(description.sdp) : this.#isLateAnswer(description.sdp)) return;
    const collision = isOffer && (this.#makingOffer || this.#connection.signalingState !== "stable");
    this.#ignoringOffer = collision && !this.#polite;
    if (this.#ignoringOffer) return;

    // Chromium and its kin lose the pictures of an m-line whose offer is rolled back: they are decoded, but
    // not shown until the line has another source. So it gets another one, and then its own again. A browser
    // that refuses the first of the two still takes the second.
    if (collision) {
      const sdp = fromOtherSources(description.sdp);
      await this.#connection.setRemoteDescription({ ...description, sdp }).catch(() => {});
    }
    await this.#connection.setRemoteDescription(description);
    if (isOffer) {
      this.#mayOffer = true;
      // An answer without the camera is better than none.
      await this.#sender.answerAll().catch((error) => this.#report(error));
      await this.#describe();
    }
    const candidates = this.#earlyCandidates.splice(0);
    for (const candidate of candidates) await this.#receiveCandidate(candidate);
    this.#takenSdp = description.sdp;
    if (!isOffer) this.#lateAnswers = this.#repeats;
    // Not waited for: the next signals must not wait for an encoder.
    void this.#sender.applyBudget();
  }

  /** An offer that comes again is answered again, unless one of our own is under way. @param {string} sdp */
  #answeredBefore(sdp) {
    const isKnown = sdp === this.#takenSdp;
    if (isKnown && this.#connection.signalingState === "stable") this.#sendDescription();
    return isKnown;
  }

  /** An offer that was sent more than once may be answered as often. @param {string} sdp */
  #isLateAnswer(sdp) {
    if (sdp === this.#takenSdp && this.#lateAnswers-- > 0) return true;
    return this.#connection.signalingState !== "have-local-offer";
  }

  async #describe() {
    await this.#connection.setLocalDescription();
    this.#sendDescription();
  }

  #sendDescription() {
    const description = this.#connection.localDescription;
    if (description?.type !== "offer" && description?.type !== "answer") return;
    this.#send({ type: description.type, sdp: description });
    clearTimeout(this.#answerTimer);
    // While an offer is unanswered no other can be made, and one side takes none: it is asked again.
    if (description.type === "offer") this.#answerTimer = setTimeout(() => this.#insist(), PATIENCE_MS);
  }

  #insist() {
    if (this.#connection.signalingState !== "have-local-offer") return;
    this.#repeats++;
    this.#sendDescription();
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #receiveCandidate(candidate) {
    this.#sawRelay ||= isRelay(candidate);
    const fragment = candidate?.usernameFragment;
    // One without a fragment, such as the last, belongs to whatever description came before it.
    if (!fragment && this.#ignoringOffer) return;
    const description = this.#connection.remoteDescription;
    const fits = description && (!fragment || hasFragment(description.sdp, fragment));
    if (fits) return this.#addCandidate(candidate);
    // Of another generation: its description is still to come, or was ignored and never will be used.
    if (this.#earlyCandidates.push(candidate) > MOST_EARLY_CANDIDATES) this.#earlyCandidates.shift();
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #addCandidate(candidate) {
    try {
      await this.#connection.addIceCandidate(candidate);
    } catch (error) {
      this.#report(error);
    }
  }

  /** @param {unknown} error */
  #report(error) {
    // Closing makes whatever is under way fail; that is no news.
    if (this.#connection.signalingState !== "closed") this.emit("fault", error);
  }
}

/** @param {RTCIceServer} server */
function isTurn({ urls }) {
  return [urls].flat().some((url) => url.startsWith("turn"));
}
