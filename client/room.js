// One's seat in a room: who else is there, and a Peer for each of them.

import { Events } from "./events.js";
import { Peer } from "./peer.js";
import { Refused } from "./signaling.js";

/**
 * @typedef {import("./messages.js").Member} Member
 * @typedef {import("./messages.js").Names} Names
 * @typedef {import("./messages.js").RoomInfo} RoomInfo
 * @typedef {import("./messages.js").ServerMessage} ServerMessage
 * @typedef {import("./signaling.js").SignalingLink} SignalingLink
 *
 * @typedef {{ roomId: string, displayName: string, stream: MediaStream | null }} Visit
 *
 * @typedef {object} RoomEvents
 * @property {{ roomId: string, room: RoomInfo }} joined also after each reconnect, with new peers
 * @property {{ text: string }} ended refused, or not wanted back; one is in no room
 * @property {{ member: Member, peer: Peer }} peer-joined
 * @property {Names} peer-updated
 * @property {{ clientId: string }} peer-left
 * @property {RoomInfo} room-updated
 */

/** @extends {Events<RoomEvents>} */
export class Room extends Events {
  #link;
  #makePeer;
  /** @type {Visit | null} */
  #visit = null;
  #seated = false;
  /** @type {Map<string, Peer>} */
  #peersById = new Map();

  /**
   * @param {SignalingLink} link
   * @param {(options: import("./peer.js").PeerOptions) => Peer} makePeer
   */
  constructor(link, makePeer = (options) => new Peer(options)) {
    super();
    this.#link = link;
    this.#makePeer = makePeer;
    link.on("welcome", () => this.#enter());
    link.on("message", (message) => this.#receive(message));
    link.on("ended", ({ text }) => this.#end(text));
  }

  /**
   * Joins now, or as soon as there is a link, and again after each loss of the link until leave().
   * @param {Visit} visit
   */
  join(visit) {
    this.#visit = visit;
    this.#enter();
  }

  leave() {
    if (this.#visit) this.#link.send({ type: "leave", roomId: this.#visit.roomId });
    this.#forget();
  }

  async #enter() {
    const visit = this.#visit;
    if (!visit) return;
    const { roomId, displayName } = visit;
    try {
      const [, joined] = await Promise.all([
        this.#link.request({ type: "register", ...(displayName && { displayName }) }),
        this.#link.request({ type: "join", roomId }),
      ]);
      if (this.#visit === visit) this.#sit(joined);
    } catch (error) {
      // A link that is lost, or not there yet, needs nothing here: its next welcome leads back to this method.
      if (!(error instanceof Refused) || this.#visit !== visit) return;
      this.leave();
      this.emit("ended", { text: error.message });
    }
  }

  /** @param {import("./messages.js").Joined} joined */
  #sit({ roomId, room, peers }) {
    // The others know this page by a new id now, and gave up their ends of the old connections.
    this.#closePeers();
    this.#seated = true;
    this.emit("joined", { roomId, room });
    for (const member of peers) this.#meet(member, { polite: false });
  }

  /** @param {ServerMessage} message */
  #receive(message) {
    // Between `leave` and `left` the room still speaks.
    if (!this.#seated) return;
    switch (message.type) {
      case "user-joined":
        return this.#meet(message, { polite: true });
      case "user-updated":
        return this.emit("peer-updated", message);
      case "user-left":
        return this.#part(message.clientId);
      case "room-updated":
        return this.emit("room-updated", message.room);
      case "offer":
      case "answer":
      case "candidate":
        this.#peersById.get(message.fromId)?.receive(message);
    }
  }

  /** @param {Member} member @param {{ polite: boolean }} role */
  #meet(member, { polite }) {
    const targetId = member.clientId;
    const peer = this.#makePeer({
      polite,
      iceServers: this.#link.welcome?.iceServers ?? [],
      stream: this.#visit?.stream ?? null,
      send: (signal) => this.#link.send({ ...signal, targetId }),
    });
    this.#peersById.set(targetId, peer);
    this.emit("peer-joined", { member, peer });
  }

  /** @param {string} clientId */
  #part(clientId) {
    this.#peersById.get(clientId)?.close();
    if (this.#peersById.delete(clientId)) this.emit("peer-left", { clientId });
  }

  /** @param {string} text */
  #end(text) {
    if (!this.#visit) return;
    this.#forget();
    this.emit("ended", { text });
  }

  #forget() {
    this.#visit = null;
    this.#seated = false;
    this.#closePeers();
  }

  #closePeers() {
    for (const clientId of [...this.#peersById.keys()]) this.#part(clientId);
  }
}
