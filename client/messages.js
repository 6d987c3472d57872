// The messages of the browser protocol (PROTOCOL.md), and words for people for what can go wrong.

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
 * @typedef {{ type: "message", targetId?: string | null, content: unknown }} MessageTo
 * @typedef {Request | Leave | DescriptionTo | CandidateTo | MessageTo} ClientMessage
 *
 * @typedef {{ type: "welcome", clientId: string, protocol: number, heartbeatMs: number, iceServers: RTCIceServer[] }} Welcome
 * @typedef {{ type: "registered", userId: string, requestId?: string }} Registered
 * @typedef {{ type: "joined", roomId: string, members: string[], peers: Member[], room: RoomInfo, requestId?: string }} Joined
 * @typedef {{ type: "join-error", error: string, code: string, requestId?: string }} JoinError
 * @typedef {{ type: "left", roomId: string }} Left
 * @typedef {{ type: "pong", requestId?: string }} Pong
 * @typedef {{ type: "error", code: string, message: string, requestId?: string }} ErrorMessage
 * @typedef {{ type: "offer" | "answer", fromId: string, fromUserId: string | null, sdp: any }} DescriptionFrom
 * @typedef {{ type: "candidate", fromId: string, candidate: any }} CandidateFrom
 * @typedef {{ type: "message", fromId: string, fromUserId: string | null, content: unknown }} MessageFrom
 * @typedef {{ type: "user-joined" } & Member} UserJoined
 * @typedef {{ type: "user-updated" } & Names} UserUpdated
 * @typedef {{ type: "user-left", userId: string | null, clientId: string, reason: string }} UserLeft
 * @typedef {{ type: "room-updated", room: RoomInfo }} RoomUpdated
 * @typedef {{ type: "broadcast", content: unknown }} Broadcast
 * @typedef {{ type: "going-away", retryAfterMs: number }} GoingAway
 *
 * @typedef {DescriptionFrom | CandidateFrom} Signal
 * @typedef {{ register: Registered, join: Joined, ping: Pong }} Replies
 * @typedef {Welcome | Replies[keyof Replies] | JoinError | Left | ErrorMessage | Signal | MessageFrom | UserJoined | UserUpdated | UserLeft | RoomUpdated | Broadcast | GoingAway} ServerMessage
 */

/** @type {{ [Type in keyof Replies]: Replies[Type]["type"] }} */
export const REPLY_TYPES = { register: "registered", join: "joined", ping: "pong" };

/** @type {Record<string, string>} */
const REFUSALS = {
  "room-full": "This room is full.",
  "room-locked": "This room is locked. Ask somebody inside to have it opened.",
  "bad-room-id": "This is not a valid room name. It may have up to 128 characters.",
  "bad-message": "The server did not understand this page. Reload it and try again.",
  "unknown-type": "The server is older than this page and cannot do that.",
  "unavailable": "The server takes no more rooms at the moment. Try again later.",
};

/** @type {Record<number, string>} */
const CLOSURES = {
  1001: "The server is restarting.",
  1009: "A message was too long for the server.",
  1011: "The server ran into a fault.",
  4000: "The server lost sight of this page.",
  4001: "This page could not keep up with the server.",
};

/**
 * @param {string} code
 * @param {string} [serverText] what the server says itself: used where this page is older than the server
 */
export function refusalText(code, serverText) {
  return REFUSALS[code] ?? (serverText || `The server refused (${code}).`);
}

/**
 * @param {number} code a WebSocket close code
 * @param {string} [serverText]
 */
export function closureText(code, serverText) {
  return CLOSURES[code] ?? (serverText || "The connection to the server was lost.");
}
