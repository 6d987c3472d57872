// One's seat in a room: taking and keeping it, and what is said there.

import { ChatHistory } from "./chat-history.js";
import { Events } from "./events.js";
import { Hosting } from "./hosting.js";
import { Identity } from "./identity.js";
import { Mates } from "./mates.js";
import { NODE_LOST, removalCause } from "./messages.js";
import { onNetworkChange } from "./network.js";
import { Peer } from "./peer.js";
import { ABILITIES, QUIET, isSayable, readContent } from "./presence.js";
import { Refused } from "./signaling.js";

/**
 * @typedef {import("./chat-history.js").ChatMessage} ChatMessage
 * @typedef {import("./hosting.js").HostingEvents} HostingEvents
 * @typedef {import("./mates.js").Mate} Mate
 * @typedef {import("./mates.js").MateEvents} MateEvents
 * @typedef {import("./messages.js").Cause} Cause
 * @typedef {import("./messages.js").Member} Member
 * @typedef {import("./messages.js").RoomInfo} RoomInfo
 * @typedef {import("./messages.js").ServerMessage} ServerMessage
 * @typedef {import("./presence.js").Presence} Presence
 * @typedef {import("./sender.js").DeviceKind} DeviceKind
 * @typedef {import("./signaling.js").SignalingLink} SignalingLink
 *
 * @typedef {{ roomId: string, displayName: string, stream: MediaStream | null, password?: string }} Visit
 *
 * @typedef {MateEvents & HostingEvents & SeatEvents} RoomEvents
 * @typedef {object} SeatEvents
 * @property {{ roomId: string, room: RoomInfo }} joined also after each reconnect, with new mates
 * @property {{ roomId: string }} waiting for a host who lets one in: `joined` or `ended` follows
 * @property {{ cause: Cause, retryInMs: number }} put-off the server answers no join yet; it is asked again after that
 * @property {{ cause: Cause }} refused the seat that was lost with its link is not free yet; it is asked for again
 * @property {{ cause: Cause }} ended refused, or not wanted back; one is in no room
 * @property {{}} left as one wished
 * @property {Presence} own-presence what the others are told of oneself is another now
 * @property {ChatMessage} chat
 * @property {ChatMessage} chat-failed
 * @property {RoomInfo} room-updated
 * @property {{ expiresInMs: number }} token-expiring unless setToken() gets another one, the link ends with it
 * @property {{ cause: Cause }} token-refused
 */

const PASSING = ["room-full", "unavailable", "room-held"];
/** One comes back to one's seat with another token. */
const TOKEN_EXPIRED = "token-expired";
// About as long as the server may take to find that a lost link is dead, and to free its seat.
const SEAT_RETRIES_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000];

/** @extends {Events<RoomEvents>} */
export class Room extends Events {
  #link;
  /** @type {Visit | null} */
  #visit = null;
  #seated = false;
  /** Where the server has a seat for us: while a move is under way, and after one was refused, in the old room. @type {string | null} */
  #seatedIn = null;
  /** @type {number[]} when to ask again for a seat that was lost */
  #retriesMs = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  #identity;
  #mates;
  #hosting;
  /** @type {RoomInfo | null} */
  #info = null;
  /** With it one comes back to a seat that was lost. @type {{ roomId: string, token: string } | null} */
  #returning = null;
  /** @type {Presence} */
  #presence = QUIET;
  #chat = new ChatHistory();
  #subscriptions;

  /**
   * @param {SignalingLink} link
   * @param {(options: import("./peer.js").PeerOptions) => Peer} makePeer
   */
  constructor(link, makePeer = (options) => new Peer(options)) {
    super();
    this.#link = link;
    this.#identity = new Identity(link);
    this.#mates = new Mates(this, link, makePeer);
    this.#hosting = new Hosting(this, link, this.#mates, (password) => {
      if (this.#visit) this.#visit.password = password ?? undefined;
    });
    this.#subscriptions = [
      link.on("welcome", () => {
        this.#seatedIn = null;
        if (this.#visit) this.#enter();
        else this.#identify();
      }),
      link.on("message", (message) => this.#receive(message)),
      link.on("put-off", ({ request, cause, retryInMs }) => {
        if (request.type === "join" && request.roomId === this.#visit?.roomId) this.emit("put-off", { cause, retryInMs });
      }),
      link.on("state", (state) => {
        if (state.phase !== "ended") return;
        if (state.cause.code === TOKEN_EXPIRED) this.#identity.token = undefined;
        this.#end(state.cause);
      }),
      onNetworkChange(() => this.#mates.restart()),
    ];
  }

  /** Whether there is a seat, and all who were there are met: who comes and goes now does so in truth. */
  get seated() {
    return this.#seated;
  }

  /** @returns {ReadonlyMap<string, Mate>} */
  get mates() {
    return this.#mates.byId;
  }

  /** What is known of the room that one sits in. */
  get info() {
    return this.#info;
  }

  get hosting() {
    return this.#hosting;
  }

  get presence() {
    return this.#presence;
  }

  /** @returns {readonly ChatMessage[]} of all visits to this room since another one, oldest first */
  get chat() {
    return this.#chat.messages;
  }

  /**
   * Shows the server a token, on this link and on each later one. In memory only, and until it has expired.
   * A refusal is told by `token-refused`, or ends the visit that it would begin.
   * @param {string} token
   */
  setToken(token) {
    this.#identity.token = token;
    this.#identify();
  }

  /**
   * Joins now, or as soon as link.connect() leads to a link, and again after each loss of it until leave().
   * The visit's stream is sent as it is, and never stopped here. Its password is used again as long as it is the room's.
   * @param {Visit} visit
   */
  join(visit) {
    this.#visit = { ...visit };
    this.#retriesMs = [];
    this.#mates.setStream(visit.stream);
    this.#chat.open(visit.roomId);
    this.#enter();
  }

  leave() {
    if (!this.#visit) return;
    this.#forget(this.#visit);
    this.emit("left", {});
  }

  /** Leaves, and lets go of the link, for good. The link itself stays open. */
  close() {
    this.leave();
    for (const end of this.#subscriptions) end();
  }

  /** @param {string} displayName */
  rename(displayName) {
    if (!this.#visit) return;
    this.#visit.displayName = displayName;
    if (this.#seated) this.#register(this.#visit).catch(() => {});
  }

  /** @param {DeviceKind} kind @param {MediaStreamTrack | null} track */
  setTrack(kind, track) {
    this.#mates.setTrack(kind, track);
  }

  /** Shows the others a screen beside the camera, or stops it. @param {MediaStream | null} stream */
  setScreen(stream) {
    this.#mates.setScreen(stream);
    this.setPresence({ sharing: stream !== null });
  }

  /** @param {Partial<Presence>} change */
  setPresence(change) {
    const before = this.#presence;
    const now = { ...before, ...change };
    const names = /** @type {(keyof Presence)[]} */ (Object.keys(now));
    if (names.every((name) => now[name] === before[name])) return;
    this.#presence = now;
    this.#tellPresence();
    this.emit("own-presence", now);
  }

  /**
   * @param {string} text
   * @returns {boolean} false: it was not sent; of what was sent, "chat-failed" tells if it did not get there
   */
  say(text) {
    const welcome = this.#link.welcome;
    if (!this.#seated || !welcome || !isSayable(text)) return false;
    this.#link.send({ type: "message", content: { kind: "chat", text }, requestId: this.#chat.nextRequestId });
    const { displayName = null } = this.#visit ?? {};
    const said = this.#keep({ own: true, fromId: welcome.clientId, userId: null, name: displayName || null, text });
    // Only a refused message is answered; requests are handled in order, so the next one's answer serves for both.
    this.#link.request({ type: "ping" }).catch(() => this.#fail(said));
    return true;
  }

  async #enter() {
    const visit = this.#visit;
    if (!visit) return;
    // A seat is lost with its link; its peers go on until the others are met anew.
    this.#seated = false;
    clearTimeout(this.#retryTimer);
    const { roomId, password } = visit;
    const returnToken = this.#returning?.roomId === roomId ? this.#returning.token : undefined;
    const join = { type: /** @type {const} */ ("join"), roomId, metadata: ABILITIES, password, returnToken };
    try {
      await Promise.all([
        this.#register(visit),
        this.#link.request(join, (joined) => this.#sit(visit, joined), () => this.#visit === visit),
      ]);
    } catch (error) {
      // A link that is lost, or not there yet, needs nothing here: its next welcome leads back to this method. And who
      // has got the seat meanwhile can do without the name.
      if (!(error instanceof Refused) || this.#visit !== visit || this.#seated) return;
      const { cause } = error;
      const retryInMs = PASSING.includes(error.code) ? this.#retriesMs.shift() : undefined;
      if (retryInMs !== undefined) {
        this.#retryTimer = setTimeout(() => this.#enter(), retryInMs);
        return this.emit("refused", { cause });
      }
      this.#end(cause);
    }
  }

  async #identify() {
    try {
      if (this.#identity.token) await this.#register(this.#visit);
    } catch (error) {
      if (error instanceof Refused) this.emit("token-refused", { cause: error.cause });
    }
  }

  /** @param {Visit | null} visit */
  #register(visit) {
    return this.#identity.register(visit, () => this.#visit === visit);
  }

  /** @param {Visit} visit @param {import("./messages.js").Joined} joined */
  #sit(visit, { roomId, room, peers, role = "member", returnToken, iceServers }) {
    this.#seatedIn = roomId;
    if (this.#visit !== visit) return;
    this.#returning = returnToken === undefined ? null : { roomId, token: returnToken };
    this.#hosting.begin(role);
    this.#know(room);
    // The others know this page by a new id now, and gave up their ends of the old connections.
    this.#mates.partFromAll();
    this.#mates.setIceServers(iceServers ?? this.#link.welcome?.iceServers ?? []);
    this.#retriesMs = [...SEAT_RETRIES_MS];
    this.emit("joined", { roomId, room });
    // Who hears of this may leave or go elsewhere at once, and the visit may end for want of a connection.
    for (const member of peers) if (this.#visit === visit) this.#meet(member, { polite: false });
    if (this.#visit !== visit) return;
    this.#mates.shareBudget();
    this.#seated = true;
    if (peers.length > 0) this.#tellPresence();
  }

  /** @param {ServerMessage} message */
  #receive(message) {
    if (message.type === "token-expiring") return this.emit("token-expiring", message);
    if (message.type === "waiting" && message.roomId === this.#visit?.roomId) return this.emit("waiting", message);
    // Between `leave` and `left` the room still speaks.
    if (!this.#seated) return;
    switch (message.type) {
      case "user-joined":
        this.#meet(message, { polite: true });
        this.#mates.shareBudget();
        return this.#tellPresence(message.clientId);
      case "user-updated":
        return this.#mates.update(message);
      case "user-left":
        this.#mates.part(message.clientId, message.reason);
        return this.#mates.shareBudget();
      case "ice-servers":
        return this.#mates.setIceServers(message.iceServers);
      case "room-updated":
        this.#know(message.room);
        return this.emit("room-updated", message.room);
      case "removed":
        // The link ends with it, and comes back to the seat.
        return message.code === NODE_LOST ? undefined : this.#end(removalCause(message));
      case "message":
        return this.#hear(message);
      case "error":
        return this.#fail(this.#chat.find(message.requestId));
      case "offer":
      case "answer":
      case "candidate":
        return this.mates.get(message.fromId)?.peer.receive(message);
      default:
        this.#hosting.receive(message);
    }
  }

  /** @param {RoomInfo} info */
  #know(info) {
    this.#info = info;
    // One that was lifted would be refused.
    if (this.#visit && !info.hasPassword) this.#visit.password = undefined;
  }

  /** @param {Member} member @param {{ polite: boolean }} role */
  #meet(member, role) {
    try {
      this.#mates.meet(member, role);
    } catch (error) {
      this.#end({ code: "unsupported", text: String(error) });
    }
  }

  /** @param {import("./messages.js").MessageFrom} message */
  #hear({ fromId, content }) {
    const mate = this.mates.get(fromId);
    const said = mate && readContent(content);
    if (!said) return;
    if (said.kind === "chat") {
      this.#keep({ own: false, fromId, userId: mate.userId, name: mate.displayName, text: said.text });
      return;
    }
    const { kind: _, ...presence } = said;
    this.#mates.setPresence(mate, presence);
  }

  /** @param {import("./chat-history.js").Said} said */
  #keep(said) {
    const message = this.#chat.keep(said);
    this.emit("chat", message);
    return message;
  }

  /** @param {ChatMessage | undefined} message */
  #fail(message) {
    if (!message) return;
    message.failed = true;
    this.emit("chat-failed", message);
  }

  /** @param {string} [targetId] everybody unless told */
  #tellPresence(targetId) {
    if (!this.#seated) return;
    const content = { kind: "state", ...this.#presence };
    this.#link.send({ type: "message", ...(targetId && { targetId }), content });
  }

  /** @param {Cause} cause */
  #end(cause) {
    if (!this.#visit) return;
    const returning = this.#returning;
    this.#forget(this.#visit);
    if (cause.code === TOKEN_EXPIRED) this.#returning = returning;
    this.emit("ended", { cause });
  }

  /** @param {Visit} visit */
  #forget({ roomId }) {
    // The server ignores the room in which we are not.
    for (const each of new Set([this.#seatedIn ?? roomId, roomId])) this.#link.send({ type: "leave", roomId: each });
    this.#visit = null;
    this.#seated = false;
    this.#seatedIn = null;
    this.#returning = null;
    this.#info = null;
    this.#hosting.begin("member");
    this.#retriesMs = [];
    clearTimeout(this.#retryTimer);
    this.#mates.partFromAll();
    this.#mates.setScreen(null);
    // Whether the microphone is muted is no matter of the room; a raised hand is.
    this.setPresence({ handRaised: false, recording: false, sharing: false });
  }
}
