// The link to the server: one WebSocket after another, until the server says "never again".

import { Events } from "./events.js";
import { OVER_ITS_RATE, REPLY_TYPES, closureCause, isAdministrators, isFinal, removalCause } from "./messages.js";
import { onNetworkChange } from "./network.js";

/**
 * @typedef {import("./messages.js").Cause} Cause
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
 * @property {() => boolean} isOnline
 * @property {(callback: () => void) => () => void} onNetworkChange calls back each time the device finds a network
 *   or changes it, until what it returned is called
 *
 * @typedef {{ phase: "idle" }
 *   | { phase: "connecting", cause: Cause | null }
 *   | { phase: "online" }
 *   | { phase: "offline", cause: Cause | null }
 *   | { phase: "waiting", cause: Cause, retryInMs: number }
 *   | { phase: "ended", cause: Cause }} LinkState offline: no network, goes on when there is one, and
 *   before that where the server is this device; waiting: lost, connects again by itself; ended: lost, and the
 *   server does not want it back
 *
 * @typedef {object} Asked
 * @property {Request} request
 * @property {() => boolean} isWanted
 * @property {(reply: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {number} since
 * @property {number} refusals
 * @property {any} [timer] until it is asked again
 *
 * @typedef {object} LinkEvents
 * @property {Welcome} welcome the link is up
 * @property {Exclude<ServerMessage, Welcome>} message all that is no reply to a request
 * @property {LinkState} state
 * @property {{ request: Request, cause: Cause, retryInMs: number }} put-off it is asked again after that
 */

const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 15_000;
/** What the server closed for saying too much waits so long, and a random while up to as long again. */
const PENANCE_MS = 30_000;
/** How long a request is asked again that the server puts off. */
const ASKED_AGAIN_FOR_MS = 60_000;
const PATIENCE_MS = 10_000;
const SHORT_PATIENCE_MS = 4_000;
const ABNORMAL_CLOSURE = 1006;
const MOST_OWN_IDS = 50;
const LOOPBACK = /^wss?:\/\/(localhost|127(\.\d+){3}|\[::1\])(:|\/|$)/;

/** @type {Surroundings} */
const browser = {
  WebSocket: globalThis.WebSocket,
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => performance.now(),
  random: Math.random,
  // Only a clear "no" counts: elsewhere than in browsers nobody says.
  isOnline: () => globalThis.navigator?.onLine !== false,
  onNetworkChange: (callback) => onNetworkChange(callback),
};

/** The server's answer to a request was no. */
export class Refused extends Error {
  /** @param {Cause} cause */
  constructor({ code, text, retryAfterMs }) {
    super(`${code}: ${text}`);
    this.code = code;
    this.text = text;
    this.retryAfterMs = retryAfterMs;
  }

  /** @returns {Cause} */
  get cause() {
    const { code, text, retryAfterMs } = this;
    return { code, text, ...(retryAfterMs !== undefined && { retryAfterMs }) };
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
  /** @type {string[]} the newest last */
  #ownIds = [];
  /** @type {LinkState} */
  #state = { phase: "idle" };
  /** @type {Cause | null} */
  #cause = null;
  /** @type {Cause | null} */
  #removal = null;
  #wanted = false;
  #welcomedAt = 0;
  #failures = 0;
  /** @type {number | null} */
  #retryAfterMs = null;
  #nextRequestId = 1;
  /** @type {Map<string, Asked>} */
  #pendingById = new Map();
  /** @type {any} */
  #retryTimer;
  /** @type {any} */
  #silenceTimer;
  /** @type {(() => void) | null} */
  #stopWatchingNetwork = null;

  /** @param {string} url @param {Surroundings} env */
  constructor(url, env = browser) {
    super();
    this.#url = url;
    this.#env = env;
  }

  get state() {
    return this.#state;
  }

  /** Opens the link, unless it is open or opening, and from then on whenever it is lost. */
  connect() {
    this.#wanted = true;
    this.#stopWatchingNetwork ??= this.#env.onNetworkChange(() => this.#useNetwork());
    // Even if the device says that it has no network: some are wrong.
    this.#open();
  }

  /** Gives the link up, with the seat and whatever was asked, until connect(). */
  close() {
    this.#wanted = false;
    this.#stopWatchingNetwork?.();
    this.#stopWatchingNetwork = null;
    this.#env.clearTimeout(this.#retryTimer);
    this.#drop();
    this.#cause = null;
    this.#enter({ phase: "idle" });
  }

  /**
   * Asks, and waits for the reply. Where the server says after which time it may be asked again, it is: for a
   * minute, and over this link only. Rejects with Refused or LinkLost.
   * @template {Request} R
   * @param {R} request its getters are read anew each time
   * @param {(reply: import("./messages.js").Replies[R["type"]]) => void} [use] is done with the reply before the message
   *   behind it is told, which who awaits the promise may not be: both can come at once
   * @param {() => boolean} [isWanted] whether to ask again
   * @returns {Promise<import("./messages.js").Replies[R["type"]]>}
   */
  request(request, use, isWanted = () => true) {
    const requestId = String(this.#nextRequestId++);
    return new Promise((resolve, reject) => {
      if (!this.#welcome) return reject(new LinkLost());
      /** @param {any} reply */
      const settle = (reply) => {
        resolve(reply);
        use?.(reply);
      };
      const asked = { request, isWanted, resolve: settle, reject, since: this.#env.now(), refusals: 0 };
      this.#pendingById.set(requestId, asked);
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

  /** Whether it is this client, now or on an earlier link whose end the server may not have noticed. @param {string} clientId */
  isOwn(clientId) {
    return this.#ownIds.includes(clientId);
  }

  #open() {
    if (this.#socket) return;
    this.#env.clearTimeout(this.#retryTimer);
    const socket = new this.#env.WebSocket(this.#url);
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#lose(event.code, event.reason);
    this.#socket = socket;
    this.#expectWithin(PATIENCE_MS);
    this.#enter({ phase: "connecting", cause: this.#cause });
  }

  #useNetwork() {
    // A link over the network that was left is most likely dead without knowing it.
    if (this.#welcome) this.#probe(SHORT_PATIENCE_MS);
    else if (this.#wanted) this.#open();
  }

  /** @param {ServerMessage & { requestId?: string }} message */
  #receive(message) {
    if (message.type === "welcome") {
      this.#welcome = message;
      this.#ownIds = [...this.#ownIds, message.clientId].slice(-MOST_OWN_IDS);
      this.#welcomedAt = this.#env.now();
      this.#cause = null;
      this.#removal = null;
      this.#enter({ phase: "online" });
      this.emit("welcome", message);
    } else if (!this.#settle(message)) {
      if (message.type === "going-away") this.#retryAfterMs = message.retryAfterMs;
      if (message.type === "removed") this.#removal = removalCause(message);
      this.emit("message", message);
    }
    this.#watchForSilence();
  }

  /** @param {ServerMessage & { requestId?: string }} message */
  #settle(message) {
    const requestId = message.requestId ?? "";
    const asked = this.#pendingById.get(requestId);
    if (!asked) return false;
    if (message.type === "error" || message.type === "join-error") {
      const text = message.type === "error" ? message.message : message.error;
      this.#putOff(requestId, asked, new Refused({ code: message.code, text, retryAfterMs: message.retryAfterMs }));
      return true;
    }
    // A move answers `join` twice: the `left` before the `joined` is no reply.
    if (message.type !== REPLY_TYPES[asked.request.type]) return false;
    asked.resolve(message);
    this.#pendingById.delete(requestId);
    return true;
  }

  /** @param {string} requestId @param {Asked} asked @param {Refused} refusal */
  #putOff(requestId, asked, refusal) {
    const giveUp = () => {
      this.#pendingById.delete(requestId);
      asked.reject(refusal);
    };
    // Whoever was refused together must not come again together.
    const waitMs = (refusal.retryAfterMs ?? Infinity) + this.#backoffMs(asked.refusals++);
    if (!asked.isWanted() || this.#env.now() + waitMs > asked.since + ASKED_AGAIN_FOR_MS) return giveUp();
    asked.timer = this.#env.setTimeout(() => {
      if (asked.isWanted()) this.send({ ...asked.request, requestId });
      else giveUp();
    }, waitMs);
    this.emit("put-off", { request: asked.request, cause: refusal.cause, retryInMs: waitMs });
  }

  // The server's WebSocket pings do not reach scripts, so the page asks for a sign of life itself.
  #watchForSilence() {
    const welcome = this.#welcome;
    if (!welcome) return;
    this.#env.clearTimeout(this.#silenceTimer);
    this.#silenceTimer = this.#env.setTimeout(() => this.#probe(PATIENCE_MS), welcome.heartbeatMs);
  }

  /** @param {number} patienceMs */
  #probe(patienceMs) {
    this.send({ type: "ping" });
    this.#expectWithin(patienceMs);
  }

  /** @param {number} delayMs */
  #expectWithin(delayMs) {
    this.#env.clearTimeout(this.#silenceTimer);
    this.#silenceTimer = this.#env.setTimeout(() => this.#lose(ABNORMAL_CLOSURE, ""), delayMs);
  }

  /** @param {number} code @param {string} reason */
  #lose(code, reason) {
    const wasUp = this.#welcome !== null;
    this.#drop();
    if (isFinal(code)) {
      this.#wanted = false;
      this.#cause = null;
      const removal = isAdministrators(code) ? this.#removal : null;
      return this.#enter({ phase: "ended", cause: removal ?? closureCause(code, reason, wasUp) });
    }
    // That it cannot be reached while it restarts is no better explanation than that it restarts.
    const cause = (this.#cause ??= closureCause(code, reason, wasUp));
    const retryInMs = code === OVER_ITS_RATE ? PENANCE_MS * (1 + this.#env.random()) : this.#retryDelayMs();
    this.#retryTimer = this.#env.setTimeout(() => this.#retry(), retryInMs);
    if (this.#env.isOnline()) this.#enter({ phase: "waiting", cause, retryInMs });
    else this.#enter({ phase: "offline", cause });
  }

  #retry() {
    // A device needs no network to reach itself.
    if (this.#env.isOnline() || LOOPBACK.test(this.#url)) this.#open();
    else this.#enter({ phase: "offline", cause: this.#cause });
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
    for (const { reject, timer } of this.#pendingById.values()) {
      this.#env.clearTimeout(timer);
      reject(new LinkLost());
    }
    this.#pendingById.clear();
  }

  #retryDelayMs() {
    const announcedMs = this.#retryAfterMs;
    if (announcedMs !== null) {
      this.#retryAfterMs = null;
      // The server spreads them itself; the rest is for those of whom it said it at once.
      return announcedMs + FIRST_BACKOFF_MS * this.#env.random();
    }
    return this.#backoffMs(this.#failures++);
  }

  /** @param {number} failures before this one */
  #backoffMs(failures) {
    return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures) * this.#env.random();
  }

  /** @param {LinkState} state */
  #enter(state) {
    this.#state = state;
    this.emit("state", state);
  }
}
