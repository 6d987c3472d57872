// The microphone, camera and screen of this device. What can go wrong is told as a code.

import { Events } from "../protocol/events.js";

/**
 * @typedef {import("../protocol/sender.js").DeviceKind} DeviceKind
 * @typedef {"denied" | "missing" | "busy" | "insecure" | "failed"} MediaProblem
 * @typedef {{ deviceId: string, label: string }} Device
 * @typedef {{ microphones: Device[], cameras: Device[], speakers: Device[] }} Devices
 *
 * @typedef {object} Slot
 * @property {boolean} on the microphone: open and not muted; the camera: open
 * @property {string | null} deviceId that is used, or was asked for
 * @property {MediaProblem | null} problem why it could not be opened the last time
 * @typedef {Record<DeviceKind, Slot>} MediaState
 *
 * @typedef {object} MediaEvents
 * @property {MediaState} changed
 * @property {{ kind: DeviceKind, track: MediaStreamTrack | null }} track another one is to be sent
 * @property {{ kind: DeviceKind }} lost the device was unplugged, or taken away
 *
 * @typedef {(kind: DeviceKind) => boolean} IsWanted false: it was switched off since it was asked for
 */

/** @type {Record<string, MediaProblem>} */
const PROBLEMS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

const kinds = /** @type {const} */ (["microphone", "camera"]);

/** The devices there are; without names and ids before one of them was allowed. @returns {Promise<Devices>} */
export async function listDevices() {
  const found = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (/** @type {MediaDeviceKind} */ kind) =>
    found.filter((device) => device.kind === kind).map(({ deviceId, label }) => ({ deviceId, label }));
  return { microphones: of("audioinput"), cameras: of("videoinput"), speakers: of("audiooutput") };
}

/** @param {() => void} listener @returns {() => void} ends it */
export function onDevicesChanged(listener) {
  const devices = navigator.mediaDevices;
  devices?.addEventListener("devicechange", listener);
  return () => devices?.removeEventListener("devicechange", listener);
}

/** @extends {Events<MediaEvents>} */
export class LocalMedia extends Events {
  /** What is open now. The same object always, for a preview and for whom it is sent to. */
  stream = new MediaStream();
  #muted = false;
  /** @type {Record<DeviceKind, { deviceId: string | null, problem: MediaProblem | null }>} */
  #slots = { microphone: { deviceId: null, problem: null }, camera: { deviceId: null, problem: null } };
  /** How often each was switched off: what was asked for before that is not wanted any more. */
  #offs = { microphone: 0, camera: 0 };
  /** @type {Promise<unknown>} */
  #turn = Promise.resolve();

  /** @returns {MediaState} */
  get state() {
    const microphone = this.#trackOf("microphone");
    return {
      microphone: { ...this.#slots.microphone, on: microphone !== null && !this.#muted },
      camera: { ...this.#slots.camera, on: this.#trackOf("camera") !== null },
    };
  }

  /** What is to be opened the next time, if it is there. @param {DeviceKind} kind @param {string} deviceId */
  prefer(kind, deviceId) {
    this.#slots[kind].deviceId = deviceId || null;
  }

  /**
   * Opens what is asked for. Nobody is kept out of a call for want of a device: what is missing has a
   * `problem` in the state. A microphone that is asked for is not muted.
   * @param {{ microphone?: boolean, camera?: boolean }} wanted
   */
  async open({ microphone = true, camera = true } = {}) {
    const wanted = { microphone, camera };
    if (microphone) this.#muted = false;
    const asked = kinds.filter((kind) => wanted[kind]);
    await this.#inTurn(async (isWanted) => {
      // Asked for both at once, the browser asks people once.
      const left = asked.filter(isWanted).length === 2 ? await this.#openTogether(isWanted) : asked;
      for (const kind of left) await this.#openKind(kind, isWanted);
    });
    return this.state;
  }

  /**
   * Takes another device, in the middle of a call too. If that fails the old one stays. A device that
   * is off stays off: the other one is taken when it is switched on.
   * @param {DeviceKind} kind
   * @param {string} deviceId
   * @returns {Promise<MediaProblem | null>}
   */
  switchDevice(kind, deviceId) {
    return this.#inTurn(async (isWanted) => {
      const slot = this.#slots[kind];
      const idBefore = slot.deviceId;
      slot.deviceId = deviceId || null;
      const wasOpen = this.#trackOf(kind) !== null;
      if (!wasOpen && !slot.problem) return null;
      let problem = await this.#openKind(kind, isWanted, "exact");
      if (problem === "busy" && wasOpen) {
        // Many phones open only one camera at a time.
        this.#replace(kind, null);
        problem = await this.#openKind(kind, isWanted, "exact");
      }
      if (!problem) return null;
      slot.deviceId = idBefore;
      if (wasOpen && !this.#trackOf(kind)) await this.#openKind(kind, isWanted);
      return problem;
    });
  }

  /** @param {boolean} muted @returns {Promise<MediaProblem | null>} */
  async setMuted(muted) {
    this.#muted = muted;
    const track = this.#trackOf("microphone");
    if (track) track.enabled = !muted;
    this.emit("changed", this.state);
    return track || muted ? null : this.#openUnlessOpen("microphone");
  }

  /** Off, the device is let go, and its light goes out. @param {boolean} off @returns {Promise<MediaProblem | null>} */
  async setCameraOff(off) {
    if (!off) return this.#openUnlessOpen("camera");
    this.#drop("camera");
    this.emit("changed", this.state);
    return null;
  }

  /** Lets go of all devices at once, also of those that people are still asked for. */
  close() {
    for (const kind of kinds) this.#drop(kind);
    this.emit("changed", this.state);
  }

  /** @param {DeviceKind} kind */
  #openUnlessOpen(kind) {
    return this.#inTurn(async (isWanted) => (this.#trackOf(kind) ? null : this.#openKind(kind, isWanted)));
  }

  /** @param {IsWanted} isWanted @returns {Promise<readonly DeviceKind[]>} those that were not opened */
  async #openTogether(isWanted) {
    try {
      const opened = await this.#getUserMedia(kinds);
      // Where a frame is not allowed one of them, Chromium opens the other and says nothing.
      const found = kinds.filter((kind) => opened.getTracks().some((track) => track.kind === trackKind(kind)));
      for (const kind of found) this.#take(kind, opened, isWanted);
      return kinds.filter((kind) => !found.includes(kind));
    } catch {
      // One of them may still work alone, and only alone it is clear what is wrong with the other.
      return kinds;
    }
  }

  /** @param {DeviceKind} kind @param {IsWanted} isWanted @param {"ideal" | "exact"} [match] @returns {Promise<MediaProblem | null>} */
  async #openKind(kind, isWanted, match) {
    if (!isWanted(kind)) return null;
    try {
      this.#take(kind, await this.#getUserMedia([kind], match), isWanted);
      return null;
    } catch (error) {
      if (!isWanted(kind)) return null;
      return (this.#slots[kind].problem = problemOf(error));
    }
  }

  /**
   * @param {readonly DeviceKind[]} wanted
   * @param {"ideal" | "exact"} match ideal: another device is better than none
   * @returns {Promise<MediaStream>}
   */
  async #getUserMedia(wanted, match = "ideal") {
    const devices = navigator.mediaDevices;
    if (!devices) throw new DOMException("Only on https:// and localhost", "InsecureContext");
    const listed = (await devices.enumerateDevices()).map(({ deviceId }) => deviceId);
    const idOf = (/** @type {DeviceKind} */ kind) => {
      const { deviceId } = this.#slots[kind];
      // Chromium heeds no ideal id, and an exact one that is gone, or not told to the page yet, would open nothing.
      return deviceId ? { deviceId: { [listed.includes(deviceId) ? "exact" : match]: deviceId } } : {};
    };
    return devices.getUserMedia({
      ...(wanted.includes("microphone") && {
        audio: { ...idOf("microphone"), echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      }),
      ...(wanted.includes("camera") && {
        video: { ...idOf("camera"), width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
      }),
    });
  }

  /** @param {DeviceKind} kind @param {MediaStream} opened @param {IsWanted} isWanted */
  #take(kind, opened, isWanted) {
    const track = opened.getTracks().find((track) => track.kind === trackKind(kind)) ?? null;
    if (!isWanted(kind)) return track?.stop();
    this.#slots[kind].problem = null;
    this.#slots[kind].deviceId = track?.getSettings().deviceId ?? this.#slots[kind].deviceId;
    if (track) track.onended = () => this.#lose(kind, track);
    this.#replace(kind, track);
  }

  /** @param {DeviceKind} kind */
  #drop(kind) {
    this.#offs[kind]++;
    this.#slots[kind].problem = null;
    this.#replace(kind, null);
  }

  /** @param {DeviceKind} kind @param {MediaStreamTrack | null} track */
  #replace(kind, track) {
    const old = this.#trackOf(kind);
    if (track && kind === "microphone") track.enabled = !this.#muted;
    if (old) this.stream.removeTrack(old);
    if (track) this.stream.addTrack(track);
    // The new one first: without a gap in which nothing is sent.
    if (old || track) this.emit("track", { kind, track });
    old?.stop();
  }

  /** @param {DeviceKind} kind @param {MediaStreamTrack} track */
  #lose(kind, track) {
    if (this.#trackOf(kind) !== track) return;
    this.#replace(kind, null);
    this.#slots[kind].problem = "missing";
    this.emit("changed", this.state);
    this.emit("lost", { kind });
  }

  /** @param {DeviceKind} kind */
  #trackOf(kind) {
    return this.stream.getTracks().find((track) => track.kind === trackKind(kind)) ?? null;
  }

  /**
   * One opening after another: two that overlap would leave a device open that nobody can close.
   * @template T
   * @param {(isWanted: IsWanted) => Promise<T>} change
   * @returns {Promise<T>}
   */
  #inTurn(change) {
    const offs = { ...this.#offs };
    const isWanted = (/** @type {DeviceKind} */ kind) => offs[kind] === this.#offs[kind];
    const done = this.#turn.then(() => change(isWanted)).finally(() => this.emit("changed", this.state));
    this.#turn = done.catch(() => {});
    return done;
  }
}

/**
 * @typedef {object} ScreenEvents
 * @property {{ stream: MediaStream }} started
 * @property {{ by: "page" | "browser" }} ended browser: its own bar, or the window that was shown is gone
 */

/** @extends {Events<ScreenEvents>} */
export class ScreenShare extends Events {
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {Promise<MediaProblem | null> | null} the answer to the browser's question, while it asks */
  #asking = null;
  /** Raised by stop(): a screen that is chosen after it is not wanted any more. */
  #generation = 0;

  static get supported() {
    return typeof globalThis.navigator?.mediaDevices?.getDisplayMedia === "function";
  }

  get stream() {
    return this.#stream;
  }

  /** @returns {Promise<MediaProblem | null>} "denied" also when people change their mind; null if stopped meanwhile */
  async start() {
    if (this.#stream) return null;
    if (!ScreenShare.supported) return "missing";
    return (this.#asking ??= this.#ask());
  }

  stop() {
    this.#generation++;
    this.#asking = null;
    if (this.#stream) this.#end(this.#stream, "page");
  }

  /** @returns {Promise<MediaProblem | null>} */
  async #ask() {
    const generation = this.#generation;
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 30 } }, audio: true });
      if (generation === this.#generation) this.#begin(stream);
      else for (const track of stream.getTracks()) track.stop();
      return null;
    } catch (error) {
      return generation === this.#generation ? problemOf(error) : null;
    } finally {
      if (generation === this.#generation) this.#asking = null;
    }
  }

  /** @param {MediaStream} stream */
  #begin(stream) {
    const [track] = stream.getVideoTracks();
    // Small letters matter more than smooth motion.
    track.contentHint = "detail";
    track.onended = () => this.#end(stream, "browser");
    this.#stream = stream;
    this.emit("started", { stream });
  }

  /** @param {MediaStream} stream @param {"page" | "browser"} by */
  #end(stream, by) {
    for (const track of stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    if (this.#stream !== stream) return;
    this.#stream = null;
    this.emit("ended", { by });
  }
}

/** @param {DeviceKind} kind */
function trackKind(kind) {
  return kind === "microphone" ? "audio" : "video";
}

/** @param {unknown} error @returns {MediaProblem} */
function problemOf(error) {
  const name = error instanceof Error ? error.name : "";
  if (name === "InsecureContext") return "insecure";
  return PROBLEMS[name] ?? "failed";
}
