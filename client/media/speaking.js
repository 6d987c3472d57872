// Who is speaking, by how loud each one's sound is.

import { LevelMeter } from "./levels.js";

const LOOK_EVERY_MS = 150;
const SPEECH = 0.35;
const HOLD_MS = 700;

export class SpeakingWatch {
  #onChange;
  /** @type {Map<string, { meter: LevelMeter, stream: MediaStream, heardAt: number, speaking: boolean }>} */
  #watched = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {(id: string, speaking: boolean) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {string} id @param {MediaStream | null} stream */
  watch(id, stream) {
    if (this.#watched.get(id)?.stream === stream) return;
    this.forget(id);
    if (!stream) return;
    this.#watched.set(id, { meter: new LevelMeter(stream), stream, heardAt: -Infinity, speaking: false });
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** @param {string} id */
  forget(id) {
    this.#watched.get(id)?.meter.close();
    this.#watched.delete(id);
    if (this.#watched.size) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look() {
    const now = performance.now();
    for (const [id, watched] of this.#watched) {
      if (watched.meter.level() > SPEECH) watched.heardAt = now;
      // Held over the pauses between words.
      const speaking = now - watched.heardAt < HOLD_MS;
      if (speaking === watched.speaking) continue;
      watched.speaking = speaking;
      this.#onChange(id, speaking);
    }
  }
}
