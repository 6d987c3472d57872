// The page: a lobby and a call, and the one link to the server behind both.

import { LocalMedia, ScreenShare } from "../media/capture.js";
import { Room } from "../protocol/room.js";
import { SignalingLink } from "../protocol/signaling.js";
import { Call } from "./call/call.js";
import { pathOf, roomFromPath } from "./headless/room-name.js";
import { tokenIn } from "./headless/token.js";
import { Lobby } from "./lobby.js";
import { button, drawIcons, element, setText } from "./parts/elements.js";
import { notify, notifyForGood } from "./parts/notices.js";
import { PasswordDialog } from "./password-dialog.js";
import { causeText, inEachLanguage, switchLanguage, t, translate } from "./texts/i18n.js";

/** @typedef {import("./lobby.js").Wish} Wish */

/** The path of the page without a room: others than "/" behind some proxies. */
const home = new URL(document.baseURI).pathname;
const banner = element("link-banner", HTMLElement);
const linkState = element("link-state", HTMLElement);
const retryButton = button("link-retry");

/**
 * No news to anybody: refused signals to somebody who has just left, or from a seat that is just being taken again, and
 * that what was said waits a little, of which nothing is lost and nobody can do anything. And what the end of the link,
 * which follows at once, says too.
 */
const NO_NEWS = ["peer-not-found", "not-in-room", "rate-limited", "unauthenticated", "token-expired"];
const PASSWORD_WANTED = ["password-required", "wrong-password"];

drawIcons();
inEachLanguage(() => translate(document));

const link = new SignalingLink(new URL("ws", document.baseURI).href.replace(/^http/, "ws"));
const room = new Room(link);
const media = new LocalMedia();
const share = new ScreenShare();
const lobby = new Lobby(media, home, enter, () => room.leave());
const passwordDialog = new PasswordDialog(enterWith, () => lobby.cancel());
const call = new Call(room, media, share);
/** @type {Wish | null} */
let wish = null;
/** @type {(() => string) | null} why the seat is not given back yet */
let delay = null;

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
  showDelay(null);
  passwordDialog.close();
  // A reconnect must not take the focus from where somebody just is.
  if (call.isOpen) return notify(t("link.back"));
  lobby.close();
  call.open(roomId, wish?.displayName ?? "");
});
room.on("waiting", () => {
  if (call.isOpen) return showDelay(() => t("lobby.waiting"));
  passwordDialog.close();
  lobby.wait();
});
room.on("put-off", ({ cause: { code, text }, retryInMs }) => {
  if (call.isOpen) return showDelay(() => againText({ code, text }));
  const words = () => t("lobby.putOff", { why: causeText({ code, text }), seconds: Math.ceil(retryInMs / 1_000) });
  lobby.say(words);
  passwordDialog.say(words);
});
room.on("refused", ({ cause }) => showDelay(() => againText(cause)));
room.on("left", () => showLobby());
room.on("ended", ({ cause }) => {
  showLobby();
  lobby.fail(() => causeText(cause));
  if (PASSWORD_WANTED.includes(cause.code)) passwordDialog.open(() => (cause.code === "wrong-password" ? causeText(cause) : ""));
  else passwordDialog.close();
});
room.on("token-refused", ({ cause }) => {
  if (call.isOpen) notify(causeText(cause));
  else lobby.fail(() => causeText(cause));
});
// For a page around this one, which may lead it to another #token=.
room.on("token-expiring", ({ expiresInMs }) => parent.postMessage({ type: "signalpost-token-expiring", expiresInMs }, "*"));
addEventListener("hashchange", takeToken);
retryButton.addEventListener("click", () => link.connect());
button("leave").addEventListener("click", () => room.leave());
button("lobby-language").addEventListener("click", switchLanguage);

inEachLanguage(showLinkState);
takeToken();
lobby.open(roomFromPath(location.pathname, home));
lobby.preview();
link.connect();

/** @param {Wish} chosen @param {string} [password] */
function enter(chosen, password) {
  wish = chosen;
  link.connect();
  room.join({ ...chosen, password, stream: media.stream });
}

/** @param {string} password of the room that was wished for */
function enterWith(password) {
  if (!wish) return;
  lobby.begin();
  enter(wish, password);
}

/** Nobody must read it over a shoulder, or find it in the history, or in a link that is copied. */
function takeToken() {
  const token = tokenIn(location.hash);
  if (token === null) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  if (token) room.setToken(token);
}

function showLobby() {
  if (!call.isOpen) return;
  showDelay(null);
  call.close();
  media.close();
  history.replaceState(null, "", home);
  document.title = "Signalpost";
  lobby.open("");
}

/** @param {(() => string) | null} text */
function showDelay(text) {
  delay = text;
  showLinkState();
}

/** @param {import("../protocol/messages.js").Cause} cause */
function againText(cause) {
  return t("link.again", { why: causeText(cause) });
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
  if (state.phase === "online" && delay) return delay();
  // Why it ended is the lobby's to say, which is where people ask for it again.
  if (state.phase === "online" || state.phase === "idle" || state.phase === "ended") return "";
  if (state.phase === "offline") return t("link.offline");
  return state.cause ? againText(state.cause) : t("link.connecting");
}

/** @param {unknown} content */
function broadcastText(content) {
  const text = typeof content === "object" && content && "text" in content ? content.text : content;
  return typeof text === "string" ? text : JSON.stringify(content);
}
