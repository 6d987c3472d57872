// The messages of the browser protocol (PROTOCOL.md), and codes for why a seat or a link is lost.

/**
 * @typedef {"guest" | "member" | "host"} Role
 * @typedef {{ clientId: string, userId: string | null, displayName: string | null }} Names
 * @typedef {{ role?: Role, vouched?: unknown }} Standing vouched: what the server knows by a token, where there is any
 * @typedef {Names & Standing & { metadata: unknown }} Member
 * @typedef {{ locked: boolean, maxMembers: number, metadata: unknown, hasPassword: boolean, lobby: boolean }} RoomInfo
 * @typedef {{ locked?: boolean, maxMembers?: number, password?: string | null, lobby?: boolean }} RoomChange
 *   password: null lifts it
 *
 * @typedef {{ type: "register", userId?: string | null, displayName?: string, token?: string, requestId?: string }} Register
 * @typedef {{ type: "join", roomId: string, metadata?: unknown, password?: string, returnToken?: string, requestId?: string }} Join
 * @typedef {{ type: "ping", requestId?: string }} Ping
 * @typedef {{ type: "update-room", requestId?: string } & RoomChange} UpdateRoom
 * @typedef {{ type: "set-role", targetId: string, role: "host" | "member", requestId?: string }} SetRole
 * @typedef {{ type: "remove", targetId: string, seconds?: number, requestId?: string }} Remove
 * @typedef {{ type: "ask-to-mute" | "deny", targetId: string, requestId?: string }} AboutOne
 * @typedef {{ type: "admit", targetId?: string, requestId?: string }} Admit
 * @typedef {UpdateRoom | SetRole | Remove | AboutOne | Admit} HostRequest
 * @typedef {Register | Join | Ping | HostRequest} Request what the server always answers
 *
 * @typedef {{ type: "leave", roomId: string }} Leave
 * @typedef {{ type: "offer" | "answer", targetId: string, sdp: unknown }} DescriptionTo
 * @typedef {{ type: "candidate", targetId: string, candidate: unknown }} CandidateTo
 * @typedef {{ type: "message", targetId?: string | null, content: unknown, requestId?: string }} MessageTo
 * @typedef {Request | Leave | DescriptionTo | CandidateTo | MessageTo} ClientMessage
 *
 * @typedef {{ type: "welcome", clientId: string, protocol: number, heartbeatMs: number, iceServers: RTCIceServer[] }} Welcome
 * @typedef {{ type: "registered", userId: string, role?: Role, requestId?: string }} Registered
 * @typedef {{ type: "joined", roomId: string, members: string[], peers: Member[], room: RoomInfo, role?: Role, returnToken?: string, iceServers?: RTCIceServer[], requestId?: string }} Joined
 * @typedef {{ type: "waiting", roomId: string, requestId?: string }} Waiting
 * @typedef {{ type: "done", requestId?: string }} Done
 * @typedef {{ type: "join-error", error: string, code: string, retryAfterMs?: number, requestId?: string }} JoinError
 * @typedef {{ type: "left", roomId: string }} Left
 * @typedef {{ type: "pong", requestId?: string }} Pong
 * @typedef {{ type: "error", code: string, message: string, retryAfterMs?: number, requestId?: string }} ErrorMessage
 * @typedef {{ type: "offer" | "answer", fromId: string, fromUserId: string | null, sdp: any }} DescriptionFrom
 * @typedef {{ type: "candidate", fromId: string, candidate: any }} CandidateFrom
 * @typedef {{ type: "message", fromId: string, fromUserId: string | null, content: unknown }} MessageFrom
 * @typedef {{ type: "user-joined" } & Member} UserJoined
 * @typedef {{ type: "user-updated" } & Names & Standing} UserUpdated
 * @typedef {{ type: "user-left", userId: string | null, clientId: string, reason: string }} UserLeft
 * @typedef {{ type: "room-updated", room: RoomInfo }} RoomUpdated
 * @typedef {{ type: "ice-servers", iceServers: RTCIceServer[] }} IceServers
 * @typedef {{ type: "role-changed", clientId: string, role: Role }} RoleChanged
 * @typedef {{ type: "knock", vouched?: unknown } & Names} Knock
 * @typedef {{ type: "knock-ended", clientId: string, reason: string }} KnockEnded
 * @typedef {{ type: "mute-requested", fromId: string }} MuteRequested
 * @typedef {{ type: "token-expiring", expiresInMs: number }} TokenExpiring
 * @typedef {{ type: "broadcast", content: unknown }} Broadcast
 * @typedef {{ type: "going-away", retryAfterMs: number }} GoingAway
 * @typedef {{ type: "removed", code: string, reason: string, roomId: string | null }} Removed
 *
 * @typedef {DescriptionFrom | CandidateFrom} Signal
 * @typedef {{ register: Registered, join: Joined, ping: Pong } & Record<HostRequest["type"], Done>} Replies
 * @typedef {RoleChanged | Knock | KnockEnded | MuteRequested} RoleNews what there is because rooms have hosts
 * @typedef {Welcome | Replies[keyof Replies] | JoinError | Waiting | Left | ErrorMessage | Signal | MessageFrom | UserJoined | UserUpdated | UserLeft | RoomUpdated | IceServers | RoleNews | TokenExpiring | Broadcast | GoingAway | Removed} ServerMessage
 */

/** @type {{ [Type in keyof Replies]: Replies[Type]["type"] }} */
export const REPLY_TYPES = {
  register: "registered",
  join: "joined",
  ping: "pong",
  "update-room": "done",
  "set-role": "done",
  remove: "done",
  "ask-to-mute": "done",
  admit: "done",
  deny: "done",
};

/**
 * Why a link or a seat was lost. `code` is for the page to word; `text` is what the server says itself,
 * for codes that are newer than the page, or an administrator. `retryAfterMs` is there where time alone makes it better.
 * @typedef {{ code: string, text: string, retryAfterMs?: number }} Cause
 */

/** What the server says for an administrator who gives no reason. */
export const UNEXPLAINED = ["Removed by an administrator", "Banned by an administrator", "An administrator ended the room"];

/** The reason of `removed` where it was no administrator. */
export const BY_A_HOST = "Removed by a host";

/** With this close code the server ends what said too much for too long. */
export const OVER_ITS_RATE = 4008;

/** With this one, when another connection came back to the seat. */
const REPLACED = 4002;
/** And with this one where it wants a token, or a new one. */
const UNAUTHENTICATED = 4503;
/** The reason of `removed` where the server lost its seats to others of its fleet: a reconnect brings it back. */
export const NODE_LOST = "node-lost";
const TOKEN_EXPIRED = "token-expired";

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
  [REPLACED]: "replaced",
  4003: NODE_LOST,
  4005: "unfinished-message",
  [OVER_ITS_RATE]: "too-many-messages",
  4501: "removed",
  4502: "room-closed",
  [UNAUTHENTICATED]: "unauthenticated",
};

/**
 * @param {number} code a WebSocket close code
 * @param {string} text
 * @param {boolean} wasUp false: browsers do not tell scripts of an answer such as 429 or 503
 * @returns {Cause}
 */
export function closureCause(code, text, wasUp) {
  if (code === UNAUTHENTICATED && text.startsWith(TOKEN_EXPIRED)) return { code: TOKEN_EXPIRED, text };
  return { code: CLOSURES[code] ?? (isFinal(code) ? "ended" : wasUp ? "lost" : "unreachable"), text };
}

/** @param {Removed} removed @returns {Cause} */
export function removalCause({ code, reason, roomId }) {
  if (code === "removed" && reason === BY_A_HOST) return { code: "removed-by-host", text: "" };
  return { code: code === "removed" && roomId === null ? "disconnected" : code, text: reason };
}

/** Whether `removed` went before it and says why. @param {number} code a WebSocket close code */
export function isAdministrators(code) {
  return CLOSURES[code] === "removed" || CLOSURES[code] === "room-closed";
}

/** Whether the client must not come back by itself. @param {number} code a WebSocket close code */
export function isFinal(code) {
  return code === REPLACED || code >= 4500 && code <= 4999;
}
