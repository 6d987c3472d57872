// One participant on the page.

/** @type {Partial<Record<RTCPeerConnectionState, string>>} */
const NOTES = {
  new: "Connecting…",
  connecting: "Connecting…",
  disconnected: "Connection interrupted…",
  failed: "Connection lost. Trying again…",
};

export class Tile {
  element = document.createElement("li");
  #avatar = document.createElement("div");
  #video = document.createElement("video");
  #name = document.createElement("p");
  #note = document.createElement("p");

  /** @param {string} name @param {{ local?: boolean }} options */
  constructor(name, { local = false } = {}) {
    this.element.className = local ? "tile local" : "tile";
    this.#avatar.className = "avatar";
    this.#avatar.ariaHidden = "true";
    this.#video.autoplay = true;
    this.#video.playsInline = true;
    // One's own voice from the loudspeaker would feed back.
    this.#video.muted = local;
    this.#name.className = "name";
    this.#note.className = "note";
    this.element.append(this.#avatar, this.#video, this.#name, this.#note);
    this.rename(name);
  }

  /** @param {string} name */
  rename(name) {
    this.#name.textContent = name;
    this.#video.ariaLabel = `Video of ${name}`;
    this.#avatar.textContent = [...name][0]?.toUpperCase() ?? "";
  }

  /** @param {MediaStream | null} stream */
  show(stream) {
    // Setting the same stream again, for its second track, would restart playback.
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
  }

  /** @param {boolean} visible */
  showPicture(visible) {
    this.#video.hidden = !visible;
  }

  /** @param {RTCPeerConnectionState} state */
  showState(state) {
    this.element.dataset.state = state;
    this.#note.textContent = NOTES[state] ?? "";
  }

  remove() {
    // A removed element with a stream goes on sounding until it is collected.
    this.#video.srcObject = null;
    this.element.remove();
  }
}
