// The link to the server: one WebSocket after another, until the server says "never again".

import { Events } from "./events.js";
import { REPLY_TYPES, closureText, refusalText } from "./messages.js";

/**
 * @typedef {import("./messages.js").ClientMessage} ClientMessage
 * @typedef {import("./messages.js").Request} Request
 * @typedef {import("./messages.js").ServerMessage} ServerMessage
 * @typedef {import("./messages.js").Welcome} Welcome
 *
 * @typedef {object} Surroundings what the link takes from the browser; tests hand in their own
 * @property {new (url: string) => WebSocket} WebSocket
 * @property {(callback: () => void, delayMs: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now milliseconds
 * @property {() => number} random at least 0, below 1
 *
 * @typedef {object} LinkEvents
 * @property {Welcome} welcome the link is up
 * @property {Exclude<ServerMessage, Welcome>} message all that is no reply to a request
 * @property {{ text: string, retryInMs: number }} down lost; it connects again by itself
 * @property {{ text: string }} ended lost, and the server does not want it back
 */

const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 15_000;
const PATIENCE_MS = 10_000;
const ABNORMAL_CLOSURE = 1006;

/** @type {Surroundings} */
const browser = {
  WebSocket: globalThis.WebSocket,
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => performance.now(),
  random: Math.random,
};

/** The server's answer to a request was no. The message is for people. */
export class Refused extends Error {
  /** @param {string} code @param {string} serverText */
  constructor(code, serverText) {
    super(refusalText(code, serverText));
    this.code = code;
  }
}

/** The link went away before the answer came. */
export class LinkLost extends Error {}

/** @extends {Events<LinkEvents>} */
export class SignalingLink extends Events {
  #url;
  #env;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Welcome | null} */
  #welcome = null;
  #welcomedAt = 0;
  #failures = 0;
  /** @type {number | null} */
  #retryAfterMs = null;
  #nextRequestId = 1;
  /** @type {Map<string, { replyType: string, resolve: (reply: any) => void, reject: (error: Error) => void }>} */
  #pendingById = new Map();
  /** @type {any} */
  #retryTimer;
  /** @type {any} */
  #silenceTimer;

  /** @param {string} url @param {Surroundings} env */
  constructor(url, env = browser) {
    super();
    this.#url = url;
    this.#env = env;
  }

  /** Opens the link, unless it is open or opening. */
  connect() {
    if (this.#socket) return;
    this.#env.clearTimeout(this.#retryTimer);
    const socket = new this.#env.WebSocket(this.#url);
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#lose(event.code, event.reason);
    this.#socket = socket;
    this.#expectWithin(PATIENCE_MS);
  }

  /**
   * Asks, and waits for the reply. Rejects with Refused or LinkLost.
   * @template {Request} R
   * @param {R} request
   * @returns {Promise<import("./messages.js").Replies[R["type"]]>}
   */
  request(request) {
    const requestId = String(this.#nextRequestId++);
    return new Promise((resolve, reject) => {
      if (!this.#welcome) return reject(new LinkLost());
      this.#pendingById.set(requestId, { replyType: REPLY_TYPES[request.type], resolve, reject });
      this.send({ ...request, requestId });
    });
  }

  /**
   * Says it and expects no answer. Without a link it is dropped: what was to be said concerned
   * a seat and peers that went with the link.
   * @param {ClientMessage} message
   */
  send(message) {
    if (this.#socket && this.#welcome) this.#socket.send(JSON.stringify(message));
  }

  /** What the server said of this link, or null while there is none. */
  get welcome() {
    return this.#welcome;
  }

  /** @param {ServerMessage & { requestId?: string }} message */
  #receive(message) {
    if (message.type === "welcome") {
      this.#welcome = message;
      this.#welcomedAt = this.#env.now();
      this.emit("welcome", message);
    } else if (!this.#settle(message)) {
      if (message.type === "going-away") this.#retryAfterMs = message.retryAfterMs;
      this.emit("message", message);
    }
    this.#watchForSilence();
  }

  /** @param {ServerMessage & { requestId?: string }} message */
  #settle(message) {
    const pending = this.#pendingById.get(message.requestId ?? "");
    if (!pending) return false;
    if (message.type === "error") pending.reject(new Refused(message.code, message.message));
    else if (message.type === "join-error") pending.reject(new Refused(message.code, message.error));
    else if (message.type === pending.replyType) pending.resolve(message);
    // A move answers `join` twice: the `left` before the `joined` is no reply.
    else return false;
    this.#pendingById.delete(message.requestId ?? "");
    return true;
  }

  // The server's WebSocket pings do not reach scripts, so the page asks for a sign of life itself.
  #watchForSilence() {
    const welcome = this.#welcome;
    if (!welcome) return;
    this.#env.clearTimeout(this.#silenceTimer);
    this.#silenceTimer = this.#env.setTimeout(() => {
      this.send({ type: "ping" });
      this.#expectWithin(PATIENCE_MS);
    }, welcome.heartbeatMs);
  }

  /** @param {number} delayMs */
  #expectWithin(delayMs) {
    this.#env.clearTimeout(this.#silenceTimer);
    this.#silenceTimer = this.#env.setTimeout(() => this.#lose(ABNORMAL_CLOSURE, ""), delayMs);
  }

  /** @param {number} code @param {string} reason */
  #lose(code, reason) {
    this.#drop();
    if (code >= 4500 && code <= 4999) {
      this.emit("ended", { text: closureText(code, reason) });
      return;
    }
    const retryInMs = this.#retryDelayMs();
    this.#retryTimer = this.#env.setTimeout(() => this.connect(), retryInMs);
    this.emit("down", { text: closureText(code, reason), retryInMs });
  }

  #drop() {
    this.#env.clearTimeout(this.#silenceTimer);
    const socket = this.#socket;
    if (socket) {
      // A dead socket may report its end minutes later, when another one is long in use.
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    // A server that greets and then ends every link must not be asked again at once.
    if (this.#welcome && this.#env.now() - this.#welcomedAt >= LONGEST_BACKOFF_MS) this.#failures = 0;
    this.#socket = null;
    this.#welcome = null;
    for (const { reject } of this.#pendingById.values()) reject(new LinkLost());
    this.#pendingById.clear();
  }

  #retryDelayMs() {
    const announcedMs = this.#retryAfterMs;
    if (announcedMs !== null) {
      this.#retryAfterMs = null;
      return announcedMs * (1 + this.#env.random());
    }
    const ceilingMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++);
    return ceilingMs * this.#env.random();
  }
}
