// The messages of the browser protocol (PROTOCOL.md), and codes for why a seat or a link is lost.

/**
 * @typedef {{ clientId: string, userId: string | null, displayName: string | null }} Names
 * @typedef {Names & { metadata: unknown }} Member
 * @typedef {{ locked: boolean, maxMembers: number, metadata: unknown }} RoomInfo
 *
 * @typedef {{ type: "register", userId?: string | null, displayName?: string, requestId?: string }} Register
 * @typedef {{ type: "join", roomId: string, metadata?: unknown, requestId?: string }} Join
 * @typedef {{ type: "ping", requestId?: string }} Ping
 * @typedef {Register | Join | Ping} Request what the server always answers
 *
 * @typedef {{ type: "leave", roomId: string }} Leave
 * @typedef {{ type: "offer" | "answer", targetId: string, sdp: unknown }} DescriptionTo
 * @typedef {{ type: "candidate", targetId: string, candidate: unknown }} CandidateTo
 * @typedef {{ type: "message", targetId?: string | null, content: unknown, requestId?: string }} MessageTo
 * @typedef {Request | Leave | DescriptionTo | CandidateTo | MessageTo} ClientMessage
 *
 * @typedef {{ type: "welcome", clientId: string, protocol: number, heartbeatMs: number, iceServers: RTCIceServer[] }} Welcome
 * @typedef {{ type: "registered", userId: string, requestId?: string }} Registered
 * @typedef {{ type: "joined", roomId: string, members: string[], peers: Member[], room: RoomInfo, iceServers?: RTCIceServer[], requestId?: string }} Joined
 * @typedef {{ type: "join-error", error: string, code: string, retryAfterMs?: number, requestId?: string }} JoinError
 * @typedef {{ type: "left", roomId: string }} Left
 * @typedef {{ type: "pong", requestId?: string }} Pong
 * @typedef {{ type: "error", code: string, message: string, retryAfterMs?: number, requestId?: string }} ErrorMessage
 * @typedef {{ type: "offer" | "answer", fromId: string, fromUserId: string | null, sdp: any }} DescriptionFrom
 * @typedef {{ type: "candidate", fromId: string, candidate: any }} CandidateFrom
 * @typedef {{ type: "message", fromId: string, fromUserId: string | null, content: unknown }} MessageFrom
 * @typedef {{ type: "user-joined" } & Member} UserJoined
 * @typedef {{ type: "user-updated" } & Names} UserUpdated
 * @typedef {{ type: "user-left", userId: string | null, clientId: string, reason: string }} UserLeft
 * @typedef {{ type: "room-updated", room: RoomInfo }} RoomUpdated
 * @typedef {{ type: "ice-servers", iceServers: RTCIceServer[] }} IceServers
 * @typedef {{ type: "broadcast", content: unknown }} Broadcast
 * @typedef {{ type: "going-away", retryAfterMs: number }} GoingAway
 * @typedef {{ type: "removed", code: string, reason: string, roomId: string | null }} Removed
 *
 * @typedef {DescriptionFrom | CandidateFrom} Signal
 * @typedef {{ register: Registered, join: Joined, ping: Pong }} Replies
 * @typedef {Welcome | Replies[keyof Replies] | JoinError | Left | ErrorMessage | Signal | MessageFrom | UserJoined | UserUpdated | UserLeft | RoomUpdated | IceServers | Broadcast | GoingAway | Removed} ServerMessage
 */

/** @type {{ [Type in keyof Replies]: Replies[Type]["type"] }} */
export const REPLY_TYPES = { register: "registered", join: "joined", ping: "pong" };

/**
 * Why a link or a seat was lost. `code` is for the page to word; `text` is what the server says itself,
 * for codes that are newer than the page, or an administrator.
 * @typedef {{ code: string, text: string }} Cause
 */

/** What the server says for an administrator who gives no reason. */
export const UNEXPLAINED = ["Removed by an administrator", "Banned by an administrator", "An administrator ended the room"];

/** With this close code the server ends what said too much for too long. */
export const OVER_ITS_RATE = 4008;

/** @type {Record<number, string>} */
const CLOSURES = {
  1001: "going-away",
  1002: "protocol-error",
  1003: "protocol-error",
  1007: "protocol-error",
  1009: "message-too-large",
  1011: "server-fault",
  1012: "going-away",
  4000: "timeout",
  4001: "slow-consumer",
  4002: "replaced",
  4005: "unfinished-message",
  [OVER_ITS_RATE]: "too-many-messages",
  4501: "removed",
  4502: "room-closed",
  4503: "not-authorised",
};

/**
 * @param {number} code a WebSocket close code
 * @param {string} text
 * @param {boolean} wasUp false: browsers do not tell scripts of an answer such as 429 or 503
 * @returns {Cause}
 */
export function closureCause(code, text, wasUp) {
  return { code: CLOSURES[code] ?? (isFinal(code) ? "ended" : wasUp ? "lost" : "unreachable"), text };
}

/** @param {Removed} removed @returns {Cause} */
export function removalCause({ code, reason, roomId }) {
  return { code: code === "removed" && roomId === null ? "disconnected" : code, text: reason };
}

/** Whether `removed` went before it and says why. @param {number} code a WebSocket close code */
export function isAdministrators(code) {
  return CLOSURES[code] === "removed" || CLOSURES[code] === "room-closed";
}

/** Whether the server does not want the client back. @param {number} code a WebSocket close code */
export function isFinal(code) {
  return code >= 4500 && code <= 4999;
}
