// The page: it shows what the room says, and tells the room what people ask for.

import { closeMedia, openMedia } from "./media.js";
import { Room } from "./room.js";
import { SignalingLink } from "./signaling.js";
import { Tile } from "./tile.js";

/** @typedef {import("./messages.js").Names} Names */

const lobby = element("lobby", HTMLElement);
const call = element("call", HTMLElement);
const joinForm = element("join-form", HTMLFormElement);
const roomInput = element("room", HTMLInputElement);
const nameInput = element("name", HTMLInputElement);
const joinButton = element("join", HTMLButtonElement);
const roomTitle = element("room-title", HTMLElement);
const lockedBadge = element("locked", HTMLElement);
const copyLinkButton = element("copy-link", HTMLButtonElement);
const tileList = element("tiles", HTMLElement);
const microphoneButton = element("microphone", HTMLButtonElement);
const cameraButton = element("camera", HTMLButtonElement);
const leaveButton = element("leave", HTMLButtonElement);
const statusLine = element("status", HTMLElement);
const errorLine = element("error", HTMLElement);

const link = new SignalingLink(new URL("/ws", location.href).href.replace(/^http/, "ws"));
const room = new Room(link);
/** @type {Map<string, Tile>} */
const tilesById = new Map();
/** @type {MediaStream | null} */
let localStream = null;
/** @type {Tile | null} */
let localTile = null;

joinForm.addEventListener("submit", (event) => {
  event.preventDefault();
  join(roomInput.value.trim(), nameInput.value.trim());
});
leaveButton.addEventListener("click", () => {
  room.leave();
  showLobby();
});
microphoneButton.addEventListener("click", () => toggle("audio"));
cameraButton.addEventListener("click", () => toggle("video"));
copyLinkButton.addEventListener("click", copyLink);

link.on("welcome", () => showStatus(""));
link.on("down", ({ text }) => showStatus(`${text} Connecting again…`));
link.on("ended", ({ text }) => {
  showStatus("");
  showError(text);
});
link.on("message", (message) => {
  if (message.type === "broadcast") showStatus(broadcastText(message.content));
});

room.on("joined", ({ roomId, room: { locked } }) => {
  lockedBadge.hidden = !locked;
  showCall(roomId);
});
room.on("ended", ({ text }) => {
  showLobby();
  showError(text);
});
room.on("room-updated", ({ locked }) => {
  lockedBadge.hidden = !locked;
});
room.on("peer-joined", ({ member, peer }) => {
  const tile = new Tile(nameOf(member));
  tile.element.dataset.clientId = member.clientId;
  tile.showState("new");
  tilesById.set(member.clientId, tile);
  tileList.append(tile.element);
  peer.on("stream", (stream) => tile.show(stream));
  peer.on("state", (state) => tile.showState(state));
  peer.on("fault", (error) => console.warn("A signal could not be used:", error));
});
room.on("peer-updated", (names) => tilesById.get(names.clientId)?.rename(nameOf(names)));
room.on("peer-left", ({ clientId }) => {
  tilesById.get(clientId)?.remove();
  tilesById.delete(clientId);
});

roomInput.value = roomFromPath(location.pathname);
(roomInput.value ? nameInput : roomInput).focus();
showStatus("Connecting…");
link.connect();

/** @param {string} roomId @param {string} displayName */
async function join(roomId, displayName) {
  if (!roomId) {
    showError("Enter the name of a room.");
    return;
  }
  joinButton.disabled = true;
  showError("");
  const { stream, problem } = await openMedia();
  localStream = stream;
  showOwnTile(displayName);
  showControls();
  showError(problem);
  link.connect();
  room.join({ roomId, displayName, stream });
}

/** @param {string} displayName */
function showOwnTile(displayName) {
  localTile?.remove();
  localTile = new Tile(displayName ? `${displayName} (you)` : "You", { local: true });
  localTile.show(localStream);
  tileList.prepend(localTile.element);
}

/** @param {string} roomId */
function showCall(roomId) {
  const path = `/r/${encodeURIComponent(roomId)}`;
  if (location.pathname !== path) history.replaceState(null, "", path);
  document.title = `${roomId} – Signalpost`;
  roomTitle.textContent = roomId;
  // A reconnect must not take the focus from where somebody just is.
  if (!call.hidden) return;
  lobby.hidden = true;
  call.hidden = false;
  roomTitle.focus();
}

function showLobby() {
  closeMedia(localStream);
  localStream = null;
  localTile?.remove();
  history.replaceState(null, "", "/");
  document.title = "Signalpost";
  call.hidden = true;
  lobby.hidden = false;
  joinButton.disabled = false;
  showError("");
  roomInput.focus();
}

/** @param {"audio" | "video"} kind */
function toggle(kind) {
  for (const track of tracksOf(kind)) track.enabled = !track.enabled;
  showControls();
}

function showControls() {
  const [microphone] = tracksOf("audio");
  const [camera] = tracksOf("video");
  microphoneButton.disabled = !microphone;
  microphoneButton.textContent = microphone?.enabled === false ? "Unmute" : "Mute";
  cameraButton.disabled = !camera;
  cameraButton.textContent = camera?.enabled === false ? "Camera on" : "Camera off";
  localTile?.showPicture(camera?.enabled === true);
}

/** @param {"audio" | "video"} kind */
function tracksOf(kind) {
  return localStream?.getTracks().filter((track) => track.kind === kind) ?? [];
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    showStatus("Link copied.");
  } catch {
    showStatus(`The link to this room: ${location.href}`);
  }
}

/** @param {string} text */
function showStatus(text) {
  statusLine.textContent = text;
}

/** @param {string} text */
function showError(text) {
  errorLine.textContent = text;
}

/** @param {Names} names */
function nameOf({ displayName, userId, clientId }) {
  if (displayName) return displayName;
  return userId && userId !== clientId ? userId : `Guest ${clientId.slice(0, 4)}`;
}

/** @param {unknown} content */
function broadcastText(content) {
  const text = typeof content === "object" && content && "text" in content ? content.text : content;
  return typeof text === "string" ? text : JSON.stringify(content);
}

/** @param {string} path */
function roomFromPath(path) {
  const encoded = path.match(/^\/r\/(.+)$/)?.[1] ?? "";
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 */
function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`);
  return found;
}
