// Which room somebody means: by its name, by a link to it, or by the address of the page.

/** @typedef {"missing" | "link"} RoomProblem link: it leads to no room */

// Without a scheme only what looks like a host is one: a name may have slashes.
const HOST = /^[\w-]+(?:\.[\w-]+)*(?:\.[a-z]{2,}|:\d+)(?=\/)/i;
// Browsers and proxies resolve the segments "." and "..", however they are encoded, and merge slashes.
const FRAGILE = /^~*\.{0,2}$/;
const GUARDED = /^~+\.{0,2}$/;
const JOINERS = "\u200c\u200d";
const INVISIBLE = new RegExp(`(?![${JOINERS}])[\\p{Default_Ignorable_Code_Point}\\p{Bidi_Control}\\p{Cc}\\p{Cs}\ufff9-\ufffb]`, "gu");
const SHAPED = ["Arab", "Beng", "Deva", "Gujr", "Guru", "Khmr", "Knda", "Mlym", "Mong", "Mymr", "Nkoo", "Orya", "Sinh", "Syrc",
  "Taml", "Telu"].map((script) => `\\p{Script=${script}}`).join("");
const PICTURE = "\\p{Extended_Pictographic}";
// What joiners do shows between letters of these scripts, and where they make one picture of two.
const IDLE_JOINERS = new RegExp(
  `(?<![${SHAPED}])[${JOINERS}](?<!${PICTURE}\\p{Emoji_Modifier}?\\u200d)|[${JOINERS}](?![${SHAPED}${PICTURE}])`, "gu");

/** @param {string} text @param {string} [home] the page's path @returns {{ roomId: string, problem: null } | { roomId: null, problem: RoomProblem }} */
export function roomMeant(text, home = "/") {
  const written = normalized(text);
  if (!written) return { roomId: null, problem: "missing" };
  const roomId = isLink(written, home) ? normalized(roomFromLink(written, home)) : written;
  return roomId ? { roomId, problem: null } : { roomId: null, problem: "link" };
}

/** One spelling for all names that look the same: the server compares bytes. @param {string} name */
function normalized(name) {
  const visible = name.replace(/\s+/gu, " ").replace(INVISIBLE, "").replace(IDLE_JOINERS, "");
  return visible.normalize("NFC").replace(/ +/g, " ").trim();
}

/** Slashes stay, as many servers refuse encoded ones; a segment that would not stay gets a tilde in front. @param {string} roomId @param {string} [home] */
export function pathOf(roomId, home = "/") {
  const segments = roomId.split("/").map((segment) => (FRAGILE.test(segment) ? `~${segment}` : encodeURIComponent(segment)));
  return `${home}r/${segments.join("/")}`;
}

/** @param {string} path @param {string} [home] @returns {string} empty: it leads to no room */
export function roomFromPath(path, home = "/") {
  const start = startOf(path, home);
  return start === null ? "" : path.slice(start.length).replace(/\/$/, "").split("/").map(decoded).join("/");
}

/** @param {string} segment */
function decoded(segment) {
  const plain = percentDecoded(segment);
  return GUARDED.test(plain) ? plain.slice(1) : plain;
}

/** @param {string} text */
function percentDecoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} text @param {string} home */
function isLink(text, home) {
  const host = HOST.exec(text)?.[0];
  return /^https?:\/\//i.test(text) || (host !== undefined && startOf(text.slice(host.length), home) !== null);
}

/** @param {string} link @param {string} home */
function roomFromLink(link, home) {
  const address = /^https?:/i.test(link) ? link : `https://${link}`;
  return URL.canParse(address) ? roomFromPath(new URL(address).pathname, home) : "";
}

/** What comes before the room's name. The server answers without its base path too. @param {string} path @param {string} home */
function startOf(path, home) {
  return [`${home}r/`, "/r/"].find((start) => path.startsWith(start)) ?? null;
}
