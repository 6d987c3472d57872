// The smallest page that makes calls, with protocol/ as it stands.

import { Room } from "./protocol/room.js";
import { SignalingLink } from "./protocol/signaling.js";

const link = new SignalingLink(new URL("ws", location.href).href.replace(/^http/, "ws"));
const room = new Room(link);
/** @type {MediaStream | null} */
let stream = null;

link.on("state", ({ phase }) => show(`The link is ${phase}.`));
room.on("joined", ({ roomId }) => show(`You are in ${roomId}.`));
room.on("ended", ({ cause }) => show(`You are in no room: ${cause.code}`));
room.on("mate-joined", ({ clientId }) => {
  const video = document.createElement("video");
  Object.assign(video, { id: clientId, autoplay: true, playsInline: true });
  document.querySelector("#videos")?.append(video);
});
room.on("stream", (mate) => {
  const video = document.getElementById(mate.clientId);
  // Setting the same stream again, for its second track, would restart playback.
  if (video instanceof HTMLVideoElement && video.srcObject !== mate.stream) video.srcObject = mate.stream;
});
room.on("mate-left", ({ clientId }) => document.getElementById(clientId)?.remove());
link.connect();

const form = document.forms[0];
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  stream ??= await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  // Once it has ended, a link comes back only if people ask for it.
  link.connect();
  room.join({ roomId: String(new FormData(form).get("room")), displayName: "", stream });
});

/** @param {string} text */
function show(text) {
  const line = document.querySelector("p");
  if (line) line.textContent = text;
}
