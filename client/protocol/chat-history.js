// What was said in a room, oldest first; the oldest goes when it gets too long.

/**
 * @typedef {object} ChatMessage
 * @property {number} id counted here, for keys of a list
 * @property {boolean} own
 * @property {string} fromId
 * @property {string | null} userId
 * @property {string | null} name as it was when the message came
 * @property {string} text
 * @property {number} at milliseconds since 1970
 * @property {boolean} failed one's own, refused or lost on its way
 *
 * @typedef {Omit<ChatMessage, "id" | "at" | "failed">} Said
 */

const LONGEST = 2_000;

export class ChatHistory {
  /** @type {ChatMessage[]} */
  #messages = [];
  #nextId = 1;
  #roomId = "";

  /** @returns {readonly ChatMessage[]} */
  get messages() {
    return this.#messages;
  }

  /** By which the server will refuse what is said next, if it does. */
  get nextRequestId() {
    return requestIdOf(this.#nextId);
  }

  /** @param {Said} said @returns {ChatMessage} */
  keep(said) {
    const message = { ...said, id: this.#nextId++, at: Date.now(), failed: false };
    this.#messages.push(message);
    if (this.#messages.length > LONGEST) this.#messages.shift();
    return message;
  }

  /** @param {string | undefined} requestId */
  find(requestId) {
    return this.#messages.find(({ id }) => requestIdOf(id) === requestId);
  }

  /** What was said in the same room before is still there. @param {string} roomId */
  open(roomId) {
    // Who holds the earlier list keeps it as it was.
    if (roomId !== this.#roomId) this.#messages = [];
    this.#roomId = roomId;
  }
}

/** @param {number} id */
function requestIdOf(id) {
  return `chat-${id}`;
}
