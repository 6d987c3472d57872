// The smallest page that makes calls with signaling.js, room.js and peer.js as they stand.

import { Room } from "./room.js";
import { SignalingLink } from "./signaling.js";

const link = new SignalingLink(new URL("/ws", location.href).href.replace(/^http/, "ws"));
const room = new Room(link);
/** @type {Map<string, HTMLVideoElement>} */
const videosById = new Map();

link.on("state", ({ phase }) => show(`The link is ${phase}.`));
room.on("joined", ({ roomId }) => show(`You are in ${roomId}.`));
room.on("ended", ({ cause }) => show(`You are in no room: ${cause.code}`));
room.on("stream", ({ clientId, stream }) => showVideo(clientId, stream));
room.on("mate-left", ({ clientId }) => videosById.get(clientId)?.remove());
link.connect();

const form = document.forms[0];
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const roomId = String(new FormData(form).get("room"));
  room.join({ roomId, displayName: "", stream });
});

/** @param {string} clientId @param {MediaStream | null} stream */
function showVideo(clientId, stream) {
  const video = videosById.get(clientId) ?? document.createElement("video");
  videosById.set(clientId, video);
  video.autoplay = true;
  video.srcObject = stream;
  document.querySelector("#videos")?.append(video);
}

/** @param {string} text */
function show(text) {
  const line = document.querySelector("p");
  if (line) line.textContent = text;
}
