// Before the call: how one looks and sounds, who one is, and where to go.

import { LevelMeter, unlockAudio } from "../media/levels.js";
import { recall, remember } from "./headless/remembered.js";
import { roomMeant } from "./headless/room-name.js";
import { DevicePicker } from "./parts/device-picker.js";
import { button, element, make, setText } from "./parts/elements.js";
import { notify } from "./parts/notices.js";
import { showSwitch } from "./parts/switch.js";
import { inEachLanguage, t } from "./texts/i18n.js";

/**
 * @typedef {import("../media/capture.js").LocalMedia} LocalMedia
 * @typedef {"camera" | "microphone"} Kind
 * @typedef {{ roomId: string, displayName: string }} Wish
 */

const LEVEL_EVERY_MS = 100;

const kinds = /** @type {const} */ (["camera", "microphone"]);

const screen = element("lobby", HTMLElement);
const video = element("preview-video", HTMLVideoElement);
const note = element("preview-note", HTMLElement);
const startButton = button("preview-start");
const microphoneButton = button("preview-microphone");
const cameraButton = button("preview-camera");
const level = element("level", HTMLElement);
const problemBox = element("device-problem", HTMLElement);
const form = element("join-form", HTMLFormElement);
const roomInput = element("room", HTMLInputElement);
const nameInput = element("name", HTMLInputElement);
const suggestButton = button("suggest");
const joinButton = button("join");
const cancelButton = button("cancel");
const noteLine = element("lobby-note", HTMLElement);
const errorLine = element("error", HTMLElement);

export class Lobby {
  #media;
  #home;
  #onJoin;
  #onCancel;
  /** Whether somebody wants to be seen and heard; what the device makes of it is the media's state. */
  #wanted = wantedLastTime();
  /** @type {Promise<unknown> | null} */
  #opening = null;
  #opened = false;
  #joining = false;
  #waiting = false;
  /** @type {() => string} in the language of the moment */
  #error = () => "";
  /** Why it takes so long. @type {() => string} */
  #note = () => "";
  /** @type {LevelMeter | null} */
  #meter = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #levelTimer;

  /** @param {LocalMedia} media @param {string} home the page's path @param {(wish: Wish) => void} onJoin @param {() => void} onCancel */
  constructor(media, home, onJoin, onCancel) {
    this.#media = media;
    this.#home = home;
    this.#onJoin = onJoin;
    this.#onCancel = onCancel;
    new DevicePicker(element("lobby-devices", HTMLElement), media);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    cancelButton.addEventListener("click", () => this.cancel());
    suggestButton.addEventListener("click", () => {
      roomInput.value = suggestedRoom();
      nameInput.focus();
    });
    this.#unlockLevel();
    startButton.addEventListener("click", () => this.#tryPreview());
    microphoneButton.addEventListener("click", () => this.#toggle("microphone"));
    cameraButton.addEventListener("click", () => this.#toggle("camera"));
    media.on("changed", () => this.#show());
    inEachLanguage(() => this.#show());
  }

  /** @param {string} roomId empty leaves what is there */
  open(roomId) {
    if (roomId) roomInput.value = roomId;
    screen.hidden = false;
    this.#settle();
    this.#opened = false;
    this.#opening = null;
    // The call may have changed them.
    this.#wanted = wantedLastTime();
    const name = recall("name");
    nameInput.value = typeof name === "string" ? name : "";
    this.#show();
    (roomInput.value ? nameInput : roomInput).focus();
  }

  close() {
    screen.hidden = true;
    this.#settle();
    this.#stopMeter();
    video.srcObject = null;
  }

  /** Opens what is wanted, unless it is open. It never fails: what is missing shows in words. */
  async preview() {
    this.#opened = true;
    const opening = (this.#opening ??= this.#open());
    this.#show();
    await opening;
    if (this.#opening !== opening) return;
    this.#opening = null;
    this.#show();
    // Who has joined meanwhile does not see the lobby's words.
    if (screen.hidden) for (const text of this.#problems()) notify(text);
  }

  /** Somebody asks for a seat. */
  begin() {
    this.#settle();
    this.#joining = true;
    this.#error = () => "";
    this.#show();
  }

  /** Until a host lets one in. */
  wait() {
    this.begin();
    this.#waiting = true;
    this.say(() => t("lobby.waitingNote"));
  }

  /** @param {() => string} text why it takes so long */
  say(text) {
    this.#note = text;
    this.#show();
  }

  cancel() {
    this.#settle();
    this.#onCancel();
    this.#show();
    joinButton.focus();
  }

  /** @param {() => string} text */
  fail(text) {
    this.#settle();
    this.#error = text;
    if (document.activeElement === cancelButton) joinButton.focus();
    this.#show();
  }

  /** A browser may keep the level at zero until the page was touched. */
  #unlockLevel() {
    const unlocked = new AbortController();
    // What counts differs for mouse, finger and keyboard; not every one of these does.
    for (const type of ["mousedown", "pointerup", "keydown"]) {
      screen.addEventListener(type, () => unlockAudio().then(() => unlocked.abort()), { signal: unlocked.signal });
    }
  }

  #open() {
    for (const kind of kinds) {
      const deviceId = recall(kind);
      // Also of what is off: it may be switched on in the call.
      if (typeof deviceId === "string") this.#media.prefer(kind, deviceId);
    }
    return this.#media.open(this.#wanted);
  }

  /** The button that asked for it goes. */
  #tryPreview() {
    cameraButton.focus();
    this.preview();
  }

  #submit() {
    if (this.#joining) return;
    const { roomId, problem } = roomMeant(roomInput.value, this.#home);
    if (problem) {
      this.fail(() => t(`problem.room.${problem}`));
      roomInput.focus();
      return;
    }
    unlockAudio();
    roomInput.value = roomId;
    const displayName = nameInput.value.trim();
    remember("name", displayName);
    this.begin();
    // The call does not wait for the browser's question: others get picture and sound once it is answered.
    if (!this.#opened) this.preview();
    this.#onJoin({ roomId, displayName });
  }

  #settle() {
    this.#joining = this.#waiting = false;
    this.#note = () => "";
  }

  /** @param {Kind} kind */
  async #toggle(kind) {
    const on = !this.#isOn(kind);
    this.#wanted[kind] = on;
    remember(`${kind}On`, on);
    if (this.#opened) {
      await (kind === "camera" ? this.#media.setCameraOff(!on) : this.#media.setMuted(!on));
    }
    this.#show();
  }

  /** @param {Kind} kind */
  #isOn(kind) {
    return this.#opened && !this.#opening ? this.#media.state[kind].on : this.#wanted[kind];
  }

  #show() {
    if (screen.hidden) return;
    const { state, stream } = this.#media;
    const idle = !this.#opened;
    showSwitch(microphoneButton, this.#isOn("microphone"), "microphone", "mute", "unmute");
    showSwitch(cameraButton, this.#isOn("camera"), "camera", "cameraOff", "cameraOn");
    // A video that waits for a picture would keep the page itself from being loaded.
    const picture = idle || !state.camera.on ? null : stream;
    if (video.srcObject !== picture) video.srcObject = picture;
    video.hidden = !picture;
    startButton.hidden = !idle;
    if (idle) note.textContent = t("lobby.paused");
    else if (this.#opening) note.textContent = t("lobby.opening");
    else note.textContent = state.camera.on ? "" : t("lobby.cameraOff");
    this.#showProblems();
    const label = this.#waiting ? "lobby.waiting" : this.#joining ? "lobby.joining" : "lobby.join";
    joinButton.textContent = t(label);
    // Not disabled: that would take the focus, and nobody would give it back when the room refuses.
    joinButton.ariaDisabled = String(this.#joining);
    cancelButton.hidden = !this.#joining;
    setText(noteLine, this.#note());
    setText(errorLine, this.#error());
    this.#watchLevel();
  }

  #showProblems() {
    const texts = this.#opened && !this.#opening ? this.#problems() : [];
    if (problemBox.dataset.shown === texts.join()) return;
    // Filled only when it changes, as screen readers read it out each time.
    problemBox.dataset.shown = texts.join();
    problemBox.replaceChildren();
    if (!texts.length) return;
    const again = make("button", "small", t("problem.tryAgain"));
    again.type = "button";
    again.addEventListener("click", () => this.#tryPreview());
    problemBox.append(...texts.map((text) => make("p", "", text)), make("p", "hint", t("lobby.withoutDevices")), again);
  }

  #problems() {
    return kinds.flatMap((kind) => {
      const { problem } = this.#media.state[kind];
      return problem ? [t(`problem.${kind}.${problem}`)] : [];
    });
  }

  #watchLevel() {
    const hears = this.#opened && this.#media.state.microphone.on;
    level.hidden = !hears;
    if (!hears) this.#stopMeter();
    else if (!this.#meter) {
      const meter = (this.#meter = new LevelMeter(this.#media.stream));
      this.#levelTimer = setInterval(() => {
        const loudness = meter.level();
        level.style.setProperty("--level", loudness.toFixed(2));
        level.ariaValueNow = String(Math.round(loudness * 100));
      }, LEVEL_EVERY_MS);
    }
  }

  #stopMeter() {
    clearInterval(this.#levelTimer);
    this.#meter?.close();
    this.#meter = null;
  }
}

function wantedLastTime() {
  return { microphone: recall("microphoneOn") !== false, camera: recall("cameraOn") !== false };
}

/** Long enough that nobody guesses it, as the name is all that one needs to enter. */
function suggestedRoom() {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  const random = crypto.getRandomValues(new Uint8Array(12));
  return [...random].map((byte, index) => (index && index % 4 === 0 ? "-" : "") + letters[byte % letters.length]).join("");
}
