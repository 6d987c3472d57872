// Records the whole call at this end: everybody's picture in a grid, everybody's sound in one mix.

import { unlockAudio } from "../media/levels.js";
import { Events } from "../protocol/events.js";
import { Composer } from "./composer.js";
import { openStore } from "./store.js";
import { durationAt, withDuration } from "./webm.js";

/**
 * @typedef {import("./composer.js").Participant} Participant
 * @typedef {import("./store.js").RecordingStore} RecordingStore
 *
 * @typedef {object} Recording
 * @property {"page" | "limit" | "error"} reason why it ended; limit: the store is full
 * @property {number} durationMs of what is kept
 * @property {number} bytes that are kept; after an error fewer than were recorded, or none
 * @property {string} fileName
 * @property {boolean} saved people have chosen where it is
 * @property {File | null} file to be downloaded, where it is not saved; it lies on disk
 * @property {() => Promise<void>} discard deletes that file
 *
 * @typedef {object} RecorderEvents
 * @property {{}} started
 * @property {{ bytes: number, elapsedMs: number, limitBytes: number }} progress
 * @property {Recording} stopped
 */

const TYPES = ["video/webm;codecs=vp8,opus", "video/webm;codecs=vp9,opus", "video/webm"];
const CHUNK_MS = 1_000;
// The longer a recording is, the more it costs to commit: it is never written more than about ten times.
const COMMIT_MS = 60_000;
const COMMITTED_SHARE = 0.9;
const LONGEST_HEAD_BYTES = 65_536;
const VIDEO_BITS_PER_SECOND = 2_500_000;

export class RecorderError extends Error {
  /** @param {"unsupported" | "failed"} code @param {unknown} [cause] */
  constructor(code, cause) {
    super(code, { cause });
    this.code = code;
  }
}

/** @extends {Events<RecorderEvents>} */
export class Recorder extends Events {
  /** @type {Session | null} */
  #session = null;
  /** Raised by stop(): a recording whose file is chosen after it is not wanted any more. */
  #generation = 0;

  static get supported() {
    const { MediaRecorder, FileSystemFileHandle, navigator } = globalThis;
    return typeof MediaRecorder === "function" && typeof navigator?.storage?.getDirectory === "function" &&
      typeof FileSystemFileHandle?.prototype.createWritable === "function" && mimeType() !== undefined;
  }

  get recording() {
    return this.#session !== null;
  }

  get elapsedMs() {
    return this.#session?.elapsedMs ?? 0;
  }

  get bytes() {
    return this.#session?.bytes ?? 0;
  }

  /**
   * To be called in the handler of a click: browsers ask for a file only then.
   * @param {{ fileName: string, participants: () => Participant[] }} options the name without its ending; who is
   *   there when the file is chosen
   * @returns {Promise<boolean>} false: people changed their mind, or it was stopped meanwhile
   */
  async start({ fileName, participants }) {
    const type = mimeType();
    if (!Recorder.supported || !type) throw new RecorderError("unsupported");
    if (this.#session) return true;
    const generation = this.#generation;
    /** @type {RecordingStore | null} */
    let store = null;
    try {
      store = await openStore(`${fileName.replace(/[^\p{L}\p{N} ._-]+/gu, "-")}.webm`, type);
      if (!store) return false;
      await unlockAudio();
      if (generation !== this.#generation) {
        await store.discard();
        return false;
      }
      this.#begin(new Session(store, type, fileName), store.limitBytes);
    } catch (error) {
      await store?.discard().catch(() => {});
      throw new RecorderError("failed", error);
    }
    this.setParticipants(participants());
    this.emit("started", {});
    return true;
  }

  /** @param {Participant[]} participants */
  setParticipants(participants) {
    this.#session?.composer.setParticipants(participants);
  }

  /** @returns {Promise<Recording | null>} null: there was none */
  async stop() {
    this.#generation++;
    const session = this.#session;
    session?.stop("page");
    return session ? session.ended : null;
  }

  /** @param {Session} session @param {number} limitBytes */
  #begin(session, limitBytes) {
    session.onprogress = () => this.emit("progress", { bytes: session.bytes, elapsedMs: session.elapsedMs, limitBytes });
    session.ended.then((recording) => {
      this.#session = null;
      this.emit("stopped", recording);
    });
    this.#session = session;
  }
}

/** One recording, from the first frame to the closed file. */
class Session {
  composer = new Composer();
  bytes = 0;
  onprogress = () => {};
  #store;
  #fileName;
  #recorder;
  #startedAt = performance.now();
  #stoppedAt = 0;
  #keptAt = performance.now();
  #committed = { durationMs: 0, bytes: 0 };
  #full = false;
  /** @type {Blob[] | null} what came before the file's header was whole */
  #head = [];
  /** @type {Recording["reason"]} */
  #reason = "page";
  /** @type {number | null} */
  #durationPosition = null;
  /** @type {Promise<void>} */
  #writing = Promise.resolve();
  /** @type {(recording: Recording) => void} */
  #end = () => {};
  /** @type {Promise<Recording>} */
  ended = new Promise((resolve) => (this.#end = resolve));

  /** @param {RecordingStore} store @param {string} mimeType @param {string} fileName */
  constructor(store, mimeType, fileName) {
    this.#store = store;
    this.#fileName = fileName;
    const options = { mimeType, videoBitsPerSecond: VIDEO_BITS_PER_SECOND };
    try {
      this.#recorder = new MediaRecorder(this.composer.start(), options);
      this.#recorder.ondataavailable = ({ data }) => this.#keep(data);
      this.#recorder.onerror = () => this.stop("error");
      this.#recorder.onstop = () => this.#close();
      this.#recorder.start(CHUNK_MS);
    } catch (error) {
      this.composer.stop();
      throw error;
    }
  }

  get elapsedMs() {
    return (this.#stoppedAt || performance.now()) - this.#startedAt;
  }

  /** @param {Recording["reason"]} reason */
  stop(reason) {
    if (this.#stoppedAt) return;
    this.#stoppedAt = performance.now();
    this.#reason = reason;
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
  }

  /** @param {Blob} chunk */
  #keep(chunk) {
    if (chunk.size === 0 || this.#full) return;
    if (this.bytes + chunk.size > this.#store.limitBytes) {
      this.#full = true;
      this.stop("limit");
      // It is as long as what fits.
      this.#stoppedAt = this.#keptAt;
      return;
    }
    this.#keptAt = performance.now();
    this.bytes += chunk.size;
    this.#writing = this.#writing.then(async () => {
      await this.#store.write(this.#head ? await this.#prepare(this.#head, chunk) : chunk);
      const { durationMs } = this.#committed;
      const isDue = this.elapsedMs > Math.max(durationMs + COMMIT_MS, durationMs / COMMITTED_SHARE);
      // A header that came in pieces is not written yet.
      if (isDue && this.#store.size > 0) await this.#commit();
      this.onprogress();
    });
    // After one that failed nothing more is written.
    this.#writing.catch(() => this.stop("error"));
  }

  /**
   * The duration is known at the end only; room for it is made at the start, which may come in pieces.
   * @param {Blob[]} head
   * @param {Blob} chunk
   */
  async #prepare(head, chunk) {
    head.push(chunk);
    const start = new Uint8Array(await new Blob(head).arrayBuffer());
    const { bytes, position } = withDuration(start);
    if (position === null && start.length < LONGEST_HEAD_BYTES) return new Uint8Array();
    this.#head = null;
    this.#durationPosition = position;
    this.bytes += bytes.length - start.length;
    return bytes;
  }

  async #close() {
    this.composer.stop();
    this.#stoppedAt ||= performance.now();
    try {
      await this.#writing;
      // A recording that ended at once.
      if (this.#head) await this.#store.write(new Blob(this.#head));
      await this.#commit();
    } catch {
      this.#reason = "error";
    }
    const { durationMs, bytes } = this.#committed;
    // Nobody will be asked what to do with nothing.
    if (bytes === 0) await this.#store.discard().catch(() => {});
    this.#end({
      reason: this.#reason,
      durationMs,
      bytes,
      fileName: `${this.#fileName}.webm`,
      saved: this.#store.saved && bytes > 0,
      file: bytes > 0 ? await this.#store.file().catch(() => null) : null,
      discard: () => this.#store.discard(),
    });
  }

  async #commit() {
    const durationMs = Math.round(this.elapsedMs);
    if (this.#durationPosition !== null) await this.#store.write(durationAt(durationMs), this.#durationPosition);
    await this.#store.commit();
    this.#committed = { durationMs, bytes: this.#store.size };
  }
}

function mimeType() {
  return TYPES.find((type) => globalThis.MediaRecorder?.isTypeSupported(type));
}
