// The others in a room: a Peer for each of them, and what is sent to all.

import { Peer } from "./peer.js";
import { hasScreenSlots } from "./presence.js";

/**
 * @typedef {import("./events.js").Events<MateEvents>} Teller
 * @typedef {import("./messages.js").Member} Member
 * @typedef {import("./messages.js").Role} Role
 * @typedef {import("./messages.js").UserUpdated} UserUpdated
 * @typedef {import("./peer.js").Obstacle} Obstacle
 * @typedef {import("./presence.js").Presence} Presence
 * @typedef {import("./sender.js").DeviceKind} DeviceKind
 * @typedef {import("./signaling.js").SignalingLink} SignalingLink
 *
 * @typedef {Member & MateState} Mate
 * @typedef {object} MateState
 * @property {Role} role
 * @property {Peer} peer
 * @property {Presence | null} presence null until told, and for clients that tell none
 * @property {number | null} handRaisedAt who raised the hand first speaks first
 * @property {MediaStream | null} stream camera and microphone
 * @property {MediaStream | null} screen
 * @property {string | null} leaveReason the server's, once it has left; null where one parted from it oneself
 *
 * @typedef {object} MateEvents
 * @property {Mate} mate-joined
 * @property {Mate} mate-updated
 * @property {Mate} mate-left
 * @property {Mate} presence
 * @property {Mate} stream
 * @property {Mate} screen
 * @property {{ mate: Mate, state: RTCPeerConnectionState }} state
 * @property {{ mate: Mate, cause: Obstacle }} unreachable
 */

export class Mates {
  #teller;
  #link;
  #makePeer;
  /** @type {Map<string, Mate>} */
  #byId = new Map();
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {Partial<Record<DeviceKind, MediaStreamTrack | null>>} what replaced a track of the stream */
  #tracks = {};
  /** @type {MediaStream | null} */
  #screen = null;

  /**
   * @param {Teller} teller emits what is to be told of them
   * @param {SignalingLink} link
   * @param {(options: import("./peer.js").PeerOptions) => Peer} makePeer
   */
  constructor(teller, link, makePeer) {
    this.#teller = teller;
    this.#link = link;
    this.#makePeer = makePeer;
  }

  /** @returns {ReadonlyMap<string, Mate>} */
  get byId() {
    return this.#byId;
  }

  /** What connections go by from now on, those that are there too. @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
    for (const { peer } of this.#byId.values()) peer.setIceServers(iceServers);
  }

  /** What is sent to those who are met from now on. @param {MediaStream | null} stream */
  setStream(stream) {
    this.#stream = stream;
    this.#tracks = {};
  }

  /** @param {DeviceKind} kind @param {MediaStreamTrack | null} track */
  setTrack(kind, track) {
    this.#tracks[kind] = track;
    for (const { peer } of this.#byId.values()) peer.setTrack(kind, track);
  }

  /** @param {MediaStream | null} stream */
  setScreen(stream) {
    this.#screen = stream;
    for (const { peer } of this.#byId.values()) peer.setScreen(stream);
  }

  /** Throws where this browser can make no connection. @param {Member} member @param {{ polite: boolean }} role */
  meet({ clientId, userId, displayName, metadata, role = "member", vouched }, { polite }) {
    if (this.#link.isOwn(clientId)) return;
    this.part(clientId);
    const peer = this.#makePeer({
      polite,
      iceServers: this.#iceServers,
      stream: this.#stream,
      screen: this.#screen,
      screenSlots: hasScreenSlots(metadata),
      send: (signal) => this.#link.send({ ...signal, targetId: clientId }),
    });
    /** @type {Mate} */
    const mate = {
      clientId, userId, displayName, metadata, role, vouched, peer, presence: null, handRaisedAt: null, stream: null,
      screen: null, leaveReason: null,
    };
    this.#byId.set(clientId, mate);
    for (const [kind, track] of Object.entries(this.#tracks)) peer.setTrack(/** @type {DeviceKind} */ (kind), track);
    this.#watch(mate);
    this.#teller.emit("mate-joined", mate);
  }

  /** Once all who came together are met, or one has left. */
  shareBudget() {
    for (const { peer } of this.#byId.values()) peer.setPeerCount(this.#byId.size);
  }

  /** @param {UserUpdated} news */
  update({ clientId, userId, displayName, role, vouched }) {
    const mate = this.#byId.get(clientId);
    if (!mate) return;
    Object.assign(mate, { userId, displayName, role: role ?? mate.role, vouched });
    this.#teller.emit("mate-updated", mate);
  }

  /** @param {string} clientId @param {Role} role */
  setRole(clientId, role) {
    const mate = this.#byId.get(clientId);
    if (mate) this.#teller.emit("mate-updated", Object.assign(mate, { role }));
  }

  /** @param {Mate} mate @param {Presence} presence */
  setPresence(mate, presence) {
    mate.presence = presence;
    mate.peer.setSharing(presence.sharing);
    mate.handRaisedAt = presence.handRaised ? (mate.handRaisedAt ?? Date.now()) : null;
    this.#teller.emit("presence", mate);
  }

  /** Over another network than before. */
  restart() {
    for (const { peer } of this.#byId.values()) peer.restart();
  }

  /** @param {string} clientId @param {string | null} [reason] the server's */
  part(clientId, reason = null) {
    const mate = this.#byId.get(clientId);
    if (!mate) return;
    mate.peer.close();
    this.#byId.delete(clientId);
    mate.leaveReason = reason;
    this.#teller.emit("mate-left", mate);
  }

  partFromAll() {
    for (const clientId of [...this.#byId.keys()]) this.part(clientId);
  }

  /** @param {Mate} mate */
  #watch(mate) {
    mate.peer.on("stream", (stream) => {
      mate.stream = stream;
      this.#teller.emit("stream", mate);
    });
    mate.peer.on("screen", (screen) => {
      mate.screen = screen;
      this.#teller.emit("screen", mate);
    });
    mate.peer.on("state", (state) => this.#teller.emit("state", { mate, state }));
    mate.peer.on("unreachable", ({ cause }) => this.#teller.emit("unreachable", { mate, cause }));
  }
}
