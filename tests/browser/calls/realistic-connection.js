// A FakeConnection that says as much as a real one: long descriptions, candidates one after another, an end of them.

import { FakeConnection } from "../unit/fakes.js";

/** As Chromium's are with four m-lines and all its codecs. */
const DESCRIPTION_BYTES = 6_000;
/** Of a device with Wi-Fi, a VPN and IPv6, by UDP and TCP, with STUN and TURN. */
const CANDIDATES = 15;
const BETWEEN_CANDIDATES_MS = 10;

let made = 0;

export class RealisticConnection extends FakeConnection {
  sentCandidates = 0;
  #negotiating = false;

  constructor() {
    super(`u${made++}n`);
  }

  /** @param {any} trackOrKind @param {{ direction: string, streams: any[] }} init */
  addTransceiver(trackOrKind, init) {
    this.#negotiateSoon();
    return super.addTransceiver(trackOrKind, init);
  }

  async setLocalDescription() {
    await super.setLocalDescription();
    if (!this.localDescription) return;
    const { type, sdp } = this.localDescription;
    const lines = sdp + this.transceivers.map(({ receiver }) => `m=${receiver.track.kind} 9 UDP/TLS/RTP/SAVPF 96 97 98\r\n`).join("");
    const codec = "a=rtpmap:96 VP8/90000\r\na=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1\r\n";
    const padding = codec.repeat(Math.ceil((DESCRIPTION_BYTES - lines.length) / codec.length));
    Object.assign(this, { localDescription: { type, sdp: lines + padding } });
    this.#gather(/** @type {RegExpExecArray} */ (/ice-ufrag:(.*)\r/.exec(sdp))[1]);
    this.#connectIfAgreed();
  }

  /** @param {import("../unit/fakes.js").Description} description */
  async setRemoteDescription(description) {
    await super.setRemoteDescription(description);
    this.#connectIfAgreed();
  }

  /** @param {any} candidate */
  async addIceCandidate(candidate) {
    await super.addIceCandidate(candidate);
    this.#connectIfAgreed();
  }

  /** Once for all that is added in one go, as browsers do. */
  #negotiateSoon() {
    if (this.#negotiating) return;
    this.#negotiating = true;
    queueMicrotask(() => this.onnegotiationneeded?.());
  }

  /** @param {string} usernameFragment */
  #gather(usernameFragment) {
    const tell = () => {
      if (this.signalingState === "closed") return;
      const isLast = this.sentCandidates++ === CANDIDATES;
      this.onicecandidate?.({ candidate: isLast ? null : candidate(this.sentCandidates, usernameFragment) });
      if (!isLast) setTimeout(tell, BETWEEN_CANDIDATES_MS);
    };
    setTimeout(tell, BETWEEN_CANDIDATES_MS);
  }

  /** When all that the other side has to say is there. */
  #connectIfAgreed() {
    const isAgreed = this.localDescription && this.remoteDescription && this.signalingState === "stable";
    if (!isAgreed || this.candidates.length <= CANDIDATES || this.connectionState === "connected") return;
    Object.assign(this, { connectionState: "connected" });
    this.onconnectionstatechange?.();
  }
}

/** @param {number} number @param {string} usernameFragment */
function candidate(number, usernameFragment) {
  const told = {
    candidate: `candidate:${842163049 + number} 1 udp 1677729535 203.0.113.${number} ${46154 + number} typ srflx ` +
      `raddr 192.168.178.${number} rport ${46154 + number} generation 0 ufrag ${usernameFragment} network-cost 999`,
    sdpMid: "0",
    sdpMLineIndex: 0,
    usernameFragment,
  };
  return { ...told, type: "srflx", toJSON: () => told };
}
