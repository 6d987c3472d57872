// Which room somebody means: by its name, by a link to it, or by the address of the page.

/** @typedef {"missing" | "link" | "dots"} RoomProblem link: it leads to no room; dots: no address can hold this name */

// Without a scheme only what looks like a host is one: a name may have slashes.
const LINK = /^(?:https?:\/\/|[\w-]+(?:\.[\w-]+)*(?:\.[a-z]{2,}|:\d+)\/r\/)/i;

/** @param {string} text @returns {{ roomId: string, problem: null } | { roomId: null, problem: RoomProblem }} */
export function roomMeant(text) {
  const written = text.trim();
  if (!written) return { roomId: null, problem: "missing" };
  const roomId = LINK.test(written) ? roomFromLink(written) : written;
  if (!roomId) return { roomId: null, problem: "link" };
  if (/^\.{1,2}$/.test(roomId)) return { roomId: null, problem: "dots" };
  return { roomId, problem: null };
}

/** @param {string} roomId */
export function pathOf(roomId) {
  return `/r/${encodeURIComponent(roomId)}`;
}

/** @param {string} path @returns {string} empty: it leads to no room */
export function roomFromPath(path) {
  const encoded = path.match(/^\/r\/(.+?)\/?$/)?.[1] ?? "";
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/** @param {string} link */
function roomFromLink(link) {
  const address = /^https?:/i.test(link) ? link : `https://${link}`;
  return URL.canParse(address) ? roomFromPath(new URL(address).pathname) : "";
}
