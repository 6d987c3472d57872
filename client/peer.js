// One RTCPeerConnection to one room-mate, by perfect negotiation:
// https://www.w3.org/TR/webrtc/#perfect-negotiation-example

import { Events } from "./events.js";

/**
 * @typedef {import("./messages.js").Signal} Signal
 * @typedef {{ type: "offer" | "answer", sdp: RTCSessionDescription } | { type: "candidate", candidate: RTCIceCandidateInit | null }} OwnSignal
 *
 * @typedef {object} PeerOptions
 * @property {boolean} polite whether it gives way when both offer at once
 * @property {RTCIceServer[]} iceServers
 * @property {MediaStream | null} stream what to send
 * @property {(signal: OwnSignal) => void} send
 *
 * @typedef {object} PeerEvents
 * @property {MediaStream} stream the other side sends this one
 * @property {RTCPeerConnectionState} state
 * @property {unknown} fault a signal that could not be used
 */

/** @extends {Events<PeerEvents>} */
export class Peer extends Events {
  #connection;
  #polite;
  #send;
  // The newcomer offers first. Until then the polite side would only cause a collision, and a
  // simple client at the other end could not resolve it.
  #mayOffer;
  #makingOffer = false;
  #settingAnswer = false;
  #ignoringOffer = false;
  /** @type {(RTCIceCandidateInit | null)[]} */
  #earlyCandidates = [];

  /** @param {PeerOptions} options @param {typeof RTCPeerConnection} Connection */
  constructor({ polite, iceServers, stream, send }, Connection = RTCPeerConnection) {
    super();
    this.#polite = polite;
    this.#mayOffer = !polite;
    this.#send = send;
    this.#connection = new Connection({ iceServers });
    this.#listen();
    this.#addMedia(stream);
  }

  /** @param {Signal} signal */
  async receive(signal) {
    try {
      if (signal.type === "candidate") await this.#receiveCandidate(signal.candidate);
      // The type is the envelope's: a description of another type (rollback) is not for others to send.
      else await this.#receiveDescription({ type: signal.type, sdp: signal.sdp.sdp });
    } catch (error) {
      this.#report(error);
    }
  }

  close() {
    this.#connection.close();
  }

  #listen() {
    const connection = this.#connection;
    connection.onnegotiationneeded = () => this.#offer();
    connection.onicecandidate = ({ candidate }) =>
      this.#send({ type: "candidate", candidate: candidate && candidate.toJSON() });
    connection.ontrack = ({ streams: [stream] }) => {
      if (stream) this.emit("stream", stream);
    };
    connection.onconnectionstatechange = () => this.emit("state", connection.connectionState);
    connection.oniceconnectionstatechange = () => {
      if (connection.iceConnectionState === "failed") connection.restartIce();
    };
  }

  /** @param {MediaStream | null} stream */
  #addMedia(stream) {
    const tracks = stream?.getTracks() ?? [];
    for (const kind of ["audio", "video"]) {
      const track = tracks.find((track) => track.kind === kind);
      if (track && stream) this.#connection.addTrack(track, stream);
      // An offer must have room for what only the other side sends; an answer follows its offer.
      else if (!this.#polite) this.#connection.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  async #offer() {
    if (!this.#mayOffer) return;
    try {
      this.#makingOffer = true;
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
    const stable = this.#connection.signalingState === "stable" || this.#settingAnswer;
    const collision = isOffer && (this.#makingOffer || !stable);
    this.#ignoringOffer = collision && !this.#polite;
    if (this.#ignoringOffer) return;

    this.#settingAnswer = !isOffer;
    try {
      await this.#connection.setRemoteDescription(description);
    } finally {
      this.#settingAnswer = false;
    }
    // Not awaited one by one, so that none arriving meanwhile overtakes them.
    const candidates = this.#earlyCandidates.splice(0).map((candidate) => this.#addCandidate(candidate));
    if (isOffer) {
      this.#mayOffer = true;
      await this.#describe();
    }
    await Promise.all(candidates);
  }

  async #describe() {
    await this.#connection.setLocalDescription();
    const description = this.#connection.localDescription;
    if (description?.type === "offer" || description?.type === "answer") {
      this.#send({ type: description.type, sdp: description });
    }
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #receiveCandidate(candidate) {
    if (this.#ignoringOffer && !this.#isForDescription(candidate)) return;
    if (this.#connection.remoteDescription) await this.#addCandidate(candidate);
    else this.#earlyCandidates.push(candidate);
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #addCandidate(candidate) {
    try {
      await this.#connection.addIceCandidate(candidate);
    } catch (error) {
      this.#report(error);
    }
  }

  /**
   * Tells late candidates of the description in use from those of an ignored offer after it.
   * @param {RTCIceCandidateInit | null} candidate
   */
  #isForDescription(candidate) {
    const fragment = candidate?.usernameFragment;
    const sdp = this.#connection.remoteDescription?.sdp ?? "";
    return Boolean(fragment) && sdp.includes(`\na=ice-ufrag:${fragment}\r`);
  }

  /** @param {unknown} error */
  #report(error) {
    // Closing makes whatever is under way fail; that is no news.
    if (this.#connection.signalingState !== "closed") this.emit("fault", error);
  }
}
