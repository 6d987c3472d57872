// Stand-ins for what the browser gives the client: a clock, a WebSocket, an RTCPeerConnection.

import { SignalingLink } from "../../../client/protocol/signaling.js";

/** @typedef {import("../../../client/protocol/messages.js").ServerMessage} ServerMessage */

/** Time that passes only when a test says so. */
export class FakeClock {
  #now = 0;
  #nextTimer = 1;
  /** @type {Map<number, { at: number, callback: () => void }>} */
  #timers = new Map();

  now = () => this.#now;

  /** @param {() => void} callback @param {number} delayMs */
  setTimeout = (callback, delayMs) => {
    const timer = this.#nextTimer++;
    this.#timers.set(timer, { at: this.#now + delayMs, callback });
    return timer;
  };

  /** @param {number} timer */
  clearTimeout = (timer) => void this.#timers.delete(timer);

  /** @param {number} durationMs */
  pass(durationMs) {
    const end = this.#now + durationMs;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [timer, { at, callback }] = due;
      this.#timers.delete(timer);
      this.#now = at;
      callback();
    }
    this.#now = end;
  }
}

/** The client's end of a WebSocket, with the server's hands on the other one. */
export class FakeSocket {
  closedByClient = false;
  /** @type {any[]} */
  sent = [];
  /** @type {((event: { data: string }) => void) | null} */
  onmessage = null;
  /** @type {((event: { code: number, reason: string }) => void) | null} */
  onclose = null;

  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closedByClient = true;
  }

  /** @param {object} message */
  serverSays(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** @param {number} code @param {string} [reason] */
  serverCloses(code, reason = "") {
    this.onclose?.({ code, reason });
  }
}

/**
 * A link whose sockets, time and luck are the test's.
 * @param {{ random?: number, url?: string }} [options]
 */
export function fakeLink({ random = 0.5, url = "ws://test/ws" } = {}) {
  const clock = new FakeClock();
  const network = {
    online: true,
    /** @type {(() => void)[]} */
    listeners: [],
    /** @param {boolean} online */
    turn(online) {
      this.online = online;
      if (online) for (const listener of this.listeners) listener();
    },
  };
  /** @type {FakeSocket[]} */
  const sockets = [];
  const link = new SignalingLink(url, {
    WebSocket: /** @type {any} */ (
      class extends FakeSocket {
        /** @param {string} url */
        constructor(url) {
          super(url);
          sockets.push(this);
        }
      }
    ),
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    now: clock.now,
    random: () => random,
    isOnline: () => network.online,
    onNetworkChange: (callback) => {
      network.listeners.push(callback);
      return () => void network.listeners.splice(network.listeners.indexOf(callback), 1);
    },
  });
  const lastSocket = () => {
    const socket = sockets.at(-1);
    if (!socket) throw new Error("the link never connected");
    return socket;
  };
  return { link, clock, network, sockets, lastSocket };
}

export const WELCOME = { type: "welcome", clientId: "me", protocol: 1, heartbeatMs: 25_000, iceServers: [] };

/** @typedef {{ type: string, sdp: string }} Description */

export class FakeTransceiver {
  /** @type {any} */
  budget = null;

  /** @param {string} kind @param {any} track @param {string} direction @param {any[]} streams */
  constructor(kind, track, direction, streams = []) {
    this.direction = direction;
    this.streams = streams;
    this.receiver = { track: { kind } };
    this.sender = {
      track,
      replaceTrack: async (/** @type {any} */ other) => void (this.sender.track = other),
      setStreams: (/** @type {any[]} */ ...others) => void (this.streams = others),
      getParameters: () => ({ encodings: [{ ...this.budget }] }),
      setParameters: async (/** @type {any} */ { encodings }) => void (this.budget = encodings[0]),
    };
  }
}

/**
 * Enough of an RTCPeerConnection for negotiation: signaling states, implicit rollback, the order of
 * operations, and the errors that the real one throws. What it sends has no media.
 */
export class FakeConnection {
  signalingState = "stable";
  connectionState = "new";
  iceConnectionState = "new";
  /** @type {Description | null} */
  localDescription = null;
  /** @type {Description | null} */
  remoteDescription = null;
  restarts = 0;
  rollbacks = 0;
  /** @type {FakeTransceiver[]} */
  transceivers = [];
  /** @type {any[]} */
  candidates = [];
  /** Of the candidate pair that is in use. @type {{ local: string, remote: string } | null} */
  path = null;
  /** @type {any} */
  #configuration;
  /** For a test to meddle with those that the other side's offer makes. @type {(transceiver: FakeTransceiver) => void} */
  onOffered = () => {};
  /** @type {any} */
  onnegotiationneeded;
  /** @type {any} */
  onicecandidate;
  /** @type {any} */
  ontrack;
  /** @type {any} */
  onconnectionstatechange;
  /** @type {any} */
  oniceconnectionstatechange;
  #descriptions = 0;
  /** @type {Promise<unknown>} */
  #operations = Promise.resolve();

  /** @param {string} name @param {object} [configuration] */
  constructor(name, configuration = {}) {
    this.name = name;
    this.#configuration = configuration;
  }

  getConfiguration() {
    return { ...this.#configuration };
  }

  /** @param {object} configuration */
  setConfiguration(configuration) {
    if (this.signalingState === "closed") throw new DOMException("closed", "InvalidStateError");
    this.#configuration = configuration;
  }

  async getStats() {
    if (!this.path) return new Map();
    return new Map(Object.entries({
      transport: { type: "transport", selectedCandidatePairId: "pair" },
      pair: { type: "candidate-pair", localCandidateId: "local", remoteCandidateId: "remote" },
      local: { type: "local-candidate", candidateType: this.path.local },
      remote: { type: "remote-candidate", candidateType: this.path.remote },
    }));
  }

  /** @param {any} trackOrKind @param {{ direction: string, streams: any[] }} init */
  addTransceiver(trackOrKind, { direction, streams }) {
    const [kind, track] = typeof trackOrKind === "string" ? [trackOrKind, null] : [trackOrKind.kind, trackOrKind];
    const transceiver = new FakeTransceiver(kind, track, direction, streams);
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers() {
    return this.transceivers;
  }

  restartIce() {
    this.restarts++;
  }

  close() {
    this.signalingState = "closed";
  }

  setLocalDescription() {
    return this.#enqueue(() => {
      const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
      this.signalingState = type === "offer" ? "have-local-offer" : "stable";
      const number = ++this.#descriptions;
      this.localDescription = { type, sdp: `v=0\r\na=ice-ufrag:${this.name}${number}\r\n` };
    });
  }

  /** @param {Description} description */
  setRemoteDescription(description) {
    return this.#enqueue(() => {
      if (typeof description.sdp !== "string") throw new TypeError("sdp is no string");
      if (description.type === "answer" && this.signalingState !== "have-local-offer") {
        throw new DOMException("no offer to answer", "InvalidStateError");
      }
      if (description.type === "offer" && this.signalingState === "have-local-offer") this.rollbacks++;
      this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
      this.remoteDescription = description;
      // An m-line that the other side offers and that is not known here gets a transceiver.
      const kinds = [...description.sdp.matchAll(/^m=(\w+)/gm)].map(([, kind]) => kind);
      for (const kind of kinds.slice(this.transceivers.length)) {
        const transceiver = new FakeTransceiver(kind, null, "recvonly");
        this.onOffered(transceiver);
        this.transceivers.push(transceiver);
      }
    });
  }

  /** @param {any} candidate */
  addIceCandidate(candidate) {
    return this.#enqueue(() => {
      if (!this.remoteDescription) throw new DOMException("no remote description", "InvalidStateError");
      this.candidates.push(candidate);
    });
  }

  /** @param {() => void} operation */
  #enqueue(operation) {
    const run = this.#operations.then(() => {
      if (this.signalingState === "closed") throw new DOMException("closed", "InvalidStateError");
      operation();
    });
    this.#operations = run.catch(() => {});
    return run;
  }
}

/** Lets every promise that can settle do so. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * @template T
 * @param {T | undefined | null} value
 * @returns {T}
 */
export function present(value) {
  if (value === undefined || value === null) throw new Error("nothing there");
  return value;
}
