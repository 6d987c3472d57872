// What clients of this kind tell each other in the protocol's `message`, and in `join`. Nothing that comes from the
// network is used before it is read here: types and lengths are checked, the rest is dropped.

/**
 * @typedef {object} Presence
 * @property {boolean} muted
 * @property {boolean} cameraOff
 * @property {boolean} handRaised
 * @property {boolean} recording the call is recorded at this end: everybody must be told
 * @property {boolean} sharing the screen
 *
 * @typedef {{ kind: "state" } & Presence} StateContent
 * @typedef {{ kind: "chat", text: string }} ChatContent
 */

/** In UTF-16 units, as `maxlength` counts. */
export const CHAT_LIMIT = 10_000;

/** The metadata of a seat, which others know before the first offer: see PROTOCOL.md. */
export const ABILITIES = { screenSlots: true };

/** @type {Presence} */
export const QUIET = { muted: false, cameraOff: false, handRaised: false, recording: false, sharing: false };

/**
 * @param {unknown} content
 * @returns {StateContent | ChatContent | null} null: nothing for us
 */
export function readContent(content) {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return null;
  const fields = /** @type {Record<string, unknown>} */ (content);
  if (fields.kind === "state") return { kind: "state", ...readPresence(fields) };
  // Clients that know nothing but text say it without a kind.
  if (fields.kind === "chat" || fields.kind === undefined) return readChat(fields.text);
  return null;
}

/** @param {string} text */
export function isSayable(text) {
  return text.trim() !== "" && text.length <= CHAT_LIMIT;
}

/** @param {Record<string, unknown>} fields @returns {Presence} */
function readPresence(fields) {
  const is = (/** @type {keyof Presence} */ name) => fields[name] === true;
  return {
    muted: is("muted"),
    cameraOff: is("cameraOff"),
    handRaised: is("handRaised"),
    recording: is("recording"),
    sharing: is("sharing"),
  };
}

/** @param {unknown} text @returns {ChatContent | null} */
function readChat(text) {
  return typeof text === "string" && isSayable(text) ? { kind: "chat", text } : null;
}

/** @param {unknown} metadata */
export function hasScreenSlots(metadata) {
  return typeof metadata === "object" && metadata !== null && "screenSlots" in metadata && metadata.screenSlots === true;
}
