// Roles in a room: one's own, who asks to be let in, and what hosts may ask of the server.

/**
 * @typedef {import("./mates.js").Mate} Mate
 * @typedef {import("./mates.js").Mates} Mates
 * @typedef {import("./messages.js").HostRequest} HostRequest
 * @typedef {import("./messages.js").Knock} Knock
 * @typedef {import("./messages.js").Role} Role
 * @typedef {import("./messages.js").RoomChange} RoomChange
 * @typedef {import("./messages.js").ServerMessage} ServerMessage
 * @typedef {import("./signaling.js").SignalingLink} SignalingLink
 *
 * @typedef {object} HostingEvents
 * @property {{ role: Role, mate: Mate | null }} role-changed mate: null where it is one's own
 * @property {Knock} knock somebody waits to be let in; only hosts hear it
 * @property {{ knock: Knock, reason: string }} knock-ended
 * @property {Mate} mute-requested a host asks for it; nothing is muted
 */

/** What a host asks rejects with Refused, or with LinkLost. */
export class Hosting {
  #teller;
  #link;
  #mates;
  #onPassword;
  /** @type {Role} */
  #role = "member";
  /** @type {Map<string, Knock>} */
  #knocks = new Map();

  /**
   * @param {import("./events.js").Events<HostingEvents>} teller emits what is to be told
   * @param {SignalingLink} link
   * @param {Mates} mates
   * @param {(password: string | null) => void} onPassword it is the room's now
   */
  constructor(teller, link, mates, onPassword) {
    this.#teller = teller;
    this.#link = link;
    this.#mates = mates;
    this.#onPassword = onPassword;
  }

  get role() {
    return this.#role;
  }

  get isHost() {
    return this.#role === "host";
  }

  /** @returns {ReadonlyMap<string, Knock>} who waits to be let in, longest first, as far as hosts know */
  get knocks() {
    return this.#knocks;
  }

  /** Another seat: who waits is told anew. @param {Role} role */
  begin(role) {
    this.#role = role;
    this.#knocks.clear();
  }

  /** @param {RoomChange} change */
  async updateRoom(change) {
    await this.#ask({ type: "update-room", ...change });
    if (change.password !== undefined) this.#onPassword(change.password);
  }

  /** @param {string} clientId @param {"host" | "member"} role */
  setRole(clientId, role) {
    return this.#ask({ type: "set-role", targetId: clientId, role });
  }

  /** @param {string} clientId @param {number} [seconds] for which it is kept out; it may come back at once unless told */
  remove(clientId, seconds) {
    return this.#ask({ type: "remove", targetId: clientId, ...(seconds !== undefined && { seconds }) });
  }

  /** @param {string} clientId */
  askToMute(clientId) {
    return this.#ask({ type: "ask-to-mute", targetId: clientId });
  }

  /** @param {string} [clientId] everybody who waits unless told, as far as there is room */
  admit(clientId) {
    return this.#ask({ type: "admit", ...(clientId !== undefined && { targetId: clientId }) });
  }

  /** @param {string} clientId */
  deny(clientId) {
    return this.#ask({ type: "deny", targetId: clientId });
  }

  /** @param {ServerMessage} message */
  receive(message) {
    switch (message.type) {
      case "role-changed":
        return this.#changeRole(message.clientId, message.role);
      case "knock":
        this.#knocks.set(message.clientId, message);
        return this.#teller.emit("knock", message);
      case "knock-ended":
        return this.#endKnock(message.clientId, message.reason);
      case "mute-requested": {
        const mate = this.#mates.byId.get(message.fromId);
        if (mate) this.#teller.emit("mute-requested", mate);
      }
    }
  }

  /** @param {HostRequest} request */
  async #ask(request) {
    await this.#link.request(request);
  }

  /** @param {string} clientId @param {Role} role */
  #changeRole(clientId, role) {
    if (clientId === this.#link.welcome?.clientId) {
      this.#role = role;
      // Nobody tells any longer how it goes on with them.
      if (!this.isHost) this.#knocks.clear();
      return this.#teller.emit("role-changed", { role, mate: null });
    }
    this.#mates.setRole(clientId, role);
    const mate = this.#mates.byId.get(clientId);
    if (mate) this.#teller.emit("role-changed", { role, mate });
  }

  /** @param {string} clientId @param {string} reason */
  #endKnock(clientId, reason) {
    const knock = this.#knocks.get(clientId);
    if (!knock) return;
    this.#knocks.delete(clientId);
    this.#teller.emit("knock-ended", { knock, reason });
  }
}
