// Many pictures and sounds into one of each: a grid on a canvas, and a mix.

import { audioContext } from "../media/levels.js";

/**
 * @typedef {object} Participant
 * @property {string} id
 * @property {string} name
 * @property {MediaStream | null} stream
 * @property {MediaStream | null} [screen]
 * @property {boolean} [cameraOff]
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 */

const WIDTH = 1280;
const HEIGHT = 720;
const FRAMES_PER_SECOND = 24;
const GAP = 8;

export class Composer {
  #canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  #context;
  #sound = audioContext().createMediaStreamDestination();
  /** @type {Map<string, { source: MediaStreamAudioSourceNode, track: MediaStreamTrack }>} */
  #sources = new Map();
  /** @type {Map<MediaStream, HTMLVideoElement>} */
  #videos = new Map();
  /** @type {Participant[]} */
  #participants = [];
  /** @type {Worker | null} */
  #ticker = null;

  constructor() {
    const context = this.#canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("no canvas");
    this.#context = context;
  }

  /** Starts to draw. @returns {MediaStream} */
  start() {
    this.#draw();
    const ticker = (this.#ticker = new Worker(new URL("./ticker.js", import.meta.url)));
    ticker.onmessage = () => {
      try {
        this.#draw();
      } finally {
        // A picture that could not be drawn must not be the last.
        ticker.postMessage(null);
      }
    };
    ticker.postMessage(1_000 / FRAMES_PER_SECOND);
    const picture = this.#canvas.captureStream(FRAMES_PER_SECOND);
    return new MediaStream([...picture.getVideoTracks(), ...this.#sound.stream.getAudioTracks()]);
  }

  stop() {
    this.#ticker?.terminate();
    this.setParticipants([]);
  }

  /** @param {Participant[]} participants */
  setParticipants(participants) {
    this.#participants = participants;
    this.#showStreams();
    this.#hearTracks();
  }

  #showStreams() {
    const streams = new Set(this.#participants.flatMap(({ stream, screen }) => [stream, screen]));
    for (const [stream, video] of this.#videos) {
      if (streams.has(stream)) continue;
      video.srcObject = null;
      this.#videos.delete(stream);
    }
    for (const stream of streams) {
      if (!stream || this.#videos.has(stream)) continue;
      const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true, playsInline: true });
      video.srcObject = stream;
      // A stream without a picture has nothing to play.
      video.play().catch(() => {});
      this.#videos.set(stream, video);
    }
  }

  // Streams change their tracks while they are recorded, and Web Audio stays with the first one.
  #hearTracks() {
    const tracks = new Map(this.#participants.flatMap(({ id, stream, screen }) =>
      [[id, stream], [`${id} screen`, screen]].map(([key, stream]) =>
        [/** @type {string} */ (key), /** @type {MediaStream | null} */ (stream)?.getAudioTracks()[0]])));
    for (const [key, { source, track }] of this.#sources) {
      if (tracks.get(key) === track) continue;
      source.disconnect();
      this.#sources.delete(key);
    }
    for (const [key, track] of tracks) {
      if (!track || this.#sources.has(key)) continue;
      const source = audioContext().createMediaStreamSource(new MediaStream([track]));
      source.connect(this.#sound);
      this.#sources.set(key, { source, track });
    }
  }

  #draw() {
    this.#hearTracks();
    const context = this.#context;
    context.fillStyle = "#111418";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    const pictures = this.#participants.flatMap((participant) => [
      ...(participant.screen ? [{ ...participant, stream: participant.screen, cameraOff: false }] : []),
      participant,
    ]);
    const boxes = gridOf(pictures.length);
    pictures.forEach((picture, index) => this.#drawPicture(picture, boxes[index]));
  }

  /** @param {Participant} participant @param {Box} box */
  #drawPicture({ name, stream, cameraOff }, box) {
    const context = this.#context;
    context.fillStyle = "#262c34";
    context.fillRect(box.x, box.y, box.width, box.height);
    const video = stream && !cameraOff ? this.#videos.get(stream) : undefined;
    if (video?.videoWidth) {
      const { x, y, width, height } = fit(video.videoWidth, video.videoHeight, box);
      context.drawImage(video, x, y, width, height);
    }
    const size = Math.max(14, Math.round(box.height / 18));
    context.font = `${size}px sans-serif`;
    context.fillStyle = "#fff";
    context.shadowColor = "#000";
    context.shadowBlur = 4;
    context.fillText(name, box.x + size / 2, box.y + box.height - size / 2, box.width - size);
    context.shadowBlur = 0;
  }
}

/** @param {number} count @returns {Box[]} as large as so many boxes of 16:9 can be */
export function gridOf(count) {
  let [columns, width] = [1, 0];
  for (let tried = 1; tried <= count; tried++) {
    const rows = Math.ceil(count / tried);
    const wide = Math.min(WIDTH / tried, ((HEIGHT / rows) * 16) / 9);
    if (wide > width) [columns, width] = [tried, wide];
  }
  const height = (width * 9) / 16;
  const rows = Math.ceil(count / columns);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    return {
      x: (WIDTH - inRow * width) / 2 + (index % columns) * width + GAP / 2,
      y: (HEIGHT - rows * height) / 2 + row * height + GAP / 2,
      width: width - GAP,
      height: height - GAP,
    };
  });
}

/** @param {number} width @param {number} height @param {Box} box @returns {Box} */
function fit(width, height, box) {
  const scale = Math.min(box.width / width, box.height / height);
  const [fitWidth, fitHeight] = [width * scale, height * scale];
  return {
    x: box.x + (box.width - fitWidth) / 2,
    y: box.y + (box.height - fitHeight) / 2,
    width: fitWidth,
    height: fitHeight,
  };
}
