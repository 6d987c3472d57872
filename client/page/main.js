// The page: a lobby and a call, and the one link to the server behind both.

import { LocalMedia, ScreenShare } from "../media/capture.js";
import { Room } from "../protocol/room.js";
import { SignalingLink } from "../protocol/signaling.js";
import { Call } from "./call/call.js";
import { pathOf, roomFromPath } from "./headless/room-name.js";
import { Lobby } from "./lobby.js";
import { button, drawIcons, element, setText } from "./parts/elements.js";
import { notify, notifyForGood } from "./parts/notices.js";
import { causeText, inEachLanguage, switchLanguage, t, translate } from "./texts/i18n.js";

/** @typedef {import("./lobby.js").Wish} Wish */

/** The path of the page without a room: others than "/" behind some proxies. */
const home = new URL(document.baseURI).pathname;
const banner = element("link-banner", HTMLElement);
const linkState = element("link-state", HTMLElement);
const retryButton = button("link-retry");

/**
 * No news to anybody: refused signals to somebody who has just left, or from a seat that is just being taken again, and
 * that what was said waits a little, of which nothing is lost and nobody can do anything.
 */
const NO_NEWS = ["peer-not-found", "not-in-room", "rate-limited"];

drawIcons();
inEachLanguage(() => translate(document));

const link = new SignalingLink(new URL("ws", document.baseURI).href.replace(/^http/, "ws"));
const room = new Room(link);
const media = new LocalMedia();
const share = new ScreenShare();
const lobby = new Lobby(media, home, enter, () => room.leave());
const call = new Call(room, media, share);
/** @type {Wish | null} */
let wish = null;
/** @type {import("../protocol/messages.js").Cause | null} why the seat is not given back yet */
let refusal = null;

link.on("state", (state) => {
  showLinkState();
  if (state.phase === "ended") lobby.fail(() => causeText(state.cause));
});
link.on("message", (message) => {
  if (message.type === "broadcast") notifyForGood(t("link.broadcast", { text: broadcastText(message.content) }));
  if (message.type === "error" && !NO_NEWS.includes(message.code)) notify(causeText({ code: message.code, text: message.message }));
});
room.on("joined", ({ roomId }) => {
  const path = pathOf(roomId, home);
  if (location.pathname !== path) history.replaceState(null, "", path);
  document.title = `${roomId} – Signalpost`;
  showRefusal(null);
  // A reconnect must not take the focus from where somebody just is.
  if (call.isOpen) return notify(t("link.back"));
  lobby.close();
  call.open(roomId, wish?.displayName ?? "");
});
room.on("refused", ({ cause }) => showRefusal(cause));
room.on("left", () => showLobby());
room.on("ended", ({ cause }) => {
  showLobby();
  lobby.fail(() => causeText(cause));
});
retryButton.addEventListener("click", () => link.connect());
button("leave").addEventListener("click", () => room.leave());
button("lobby-language").addEventListener("click", switchLanguage);

inEachLanguage(showLinkState);
lobby.open(roomFromPath(location.pathname, home));
lobby.preview();
link.connect();

/** @param {Wish} chosen */
function enter(chosen) {
  wish = chosen;
  link.connect();
  room.join({ ...chosen, stream: media.stream });
}

function showLobby() {
  if (!call.isOpen) return;
  showRefusal(null);
  call.close();
  media.close();
  history.replaceState(null, "", home);
  document.title = "Signalpost";
  lobby.open("");
}

/** @param {import("../protocol/messages.js").Cause | null} cause */
function showRefusal(cause) {
  refusal = cause;
  showLinkState();
}

function showLinkState() {
  const { state } = link;
  const retryable = ["waiting", "offline"].includes(state.phase);
  if (!retryable && document.activeElement === retryButton) banner.focus();
  retryButton.hidden = !retryable;
  // The region itself never hides: what a region holds when it appears, few screen readers read out.
  setText(linkState, linkText(state));
}

/** @param {import("../protocol/signaling.js").LinkState} state */
function linkText(state) {
  if (state.phase === "online" && refusal) return t("link.again", { why: causeText(refusal) });
  // Why it ended is the lobby's to say, which is where people ask for it again.
  if (state.phase === "online" || state.phase === "idle" || state.phase === "ended") return "";
  if (state.phase === "offline") return t("link.offline");
  return state.cause ? t("link.again", { why: causeText(state.cause) }) : t("link.connecting");
}

/** @param {unknown} content */
function broadcastText(content) {
  const text = typeof content === "object" && content && "text" in content ? content.text : content;
  return typeof text === "string" ? text : JSON.stringify(content);
}
