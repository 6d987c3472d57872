// A browser's devices in the hands of a test: each question to people waits until the test answers it.

/** @typedef {import("../../../client/media/capture.js").LocalMedia} LocalMedia */

export class FakeTrack {
  enabled = true;
  readyState = "live";
  contentHint = "";
  onended = () => {};

  /** @param {string} kind @param {string} deviceId */
  constructor(kind, deviceId) {
    this.kind = kind;
    this.deviceId = deviceId;
  }

  getSettings() {
    return { deviceId: this.deviceId };
  }

  stop() {
    this.readyState = "ended";
  }
}

export class FakeStream {
  /** @type {FakeTrack[]} */
  #tracks;

  /** @param {FakeTrack[]} tracks */
  constructor(tracks = []) {
    this.#tracks = [...tracks];
  }

  getTracks() {
    return [...this.#tracks];
  }

  getVideoTracks() {
    return this.#tracks.filter(({ kind }) => kind === "video");
  }

  /** @param {FakeTrack} track */
  addTrack(track) {
    this.#tracks.push(track);
  }

  /** @param {FakeTrack} track */
  removeTrack(track) {
    this.#tracks = this.#tracks.filter((other) => other !== track);
  }
}

/**
 * @typedef {object} Question
 * @property {any} constraints
 * @property {() => FakeTrack[]} allow what it opens
 * @property {(name: string) => void} refuse
 */

/** Stands in for the browser until the process ends. @param {string[]} ids @returns the questions that wait, oldest first */
export function fakeDevices(ids = []) {
  /** @type {Question[]} */
  const questions = [];
  const ask = (/** @type {any} */ constraints) => new Promise((resolve, reject) => {
    const forget = () => void questions.splice(questions.indexOf(question), 1);
    const question = {
      constraints,
      allow: () => {
        forget();
        const kinds = ["audio", "video"].filter((kind) => constraints[kind]);
        const tracks = kinds.map((kind) => {
          const { deviceId = {} } = constraints[kind];
          return new FakeTrack(kind, deviceId.exact ?? deviceId.ideal ?? `some ${kind}`);
        });
        resolve(new FakeStream(tracks));
        return tracks;
      },
      refuse: (/** @type {string} */ name) => {
        forget();
        reject(new DOMException("no", name));
      },
    };
    questions.push(question);
  });
  const enumerateDevices = async () => ids.map((deviceId) => ({ deviceId }));
  const navigator = { mediaDevices: { enumerateDevices, getUserMedia: ask, getDisplayMedia: ask } };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });
  Object.assign(globalThis, { MediaStream: FakeStream });
  return questions;
}
