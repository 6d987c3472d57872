// The client's modules without its page: a bare document of the real server's origin that loads them.

import { openPage } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

/**
 * @typedef {object} Engine what a test finds in the page as `window.engine`
 * @property {import("../../../client/protocol/signaling.js").SignalingLink} link
 * @property {import("../../../client/protocol/room.js").Room} room
 * @property {import("../../../client/media/capture.js").LocalMedia} media
 * @property {import("../../../client/media/capture.js").ScreenShare} screen
 * @property {typeof import("../../../client/media/capture.js")} mediaModule
 * @property {typeof import("../../../client/protocol/stats.js")} statsModule
 * @property {{ loudest: (stream: MediaStream | null) => Promise<number> }} levels
 * @property {RTCPeerConnection[]} connections
 * @property {string[]} faults
 * @property {string[]} phases of the link
 */

/** @param {{ browser: import("./harness.js").Browser, server: import("./harness.js").Server }} setup */
export async function openEngine({ browser, server }) {
  const { page, problems } = await openPage(browser, "about:blank");
  await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
  await page.goto(`${server.url}/protocol/events.js`);
  await page.evaluate(async () => {
    // Videos below the fold are paused.
    document.body.replaceChildren();
    /** @type {RTCPeerConnection[]} */
    const connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      /** @param {RTCConfiguration} [configuration] */
      constructor(configuration) {
        super(configuration);
        connections.push(this);
      }
    };
    // Paths that only the page knows; the type checker must not look for them.
    const load = (/** @type {string} */ path) => import(path);
    const [{ SignalingLink }, { Room }, mediaModule, statsModule, { LevelMeter }] = await Promise.all(
      ["/protocol/signaling.js", "/protocol/room.js", "/media/capture.js", "/protocol/stats.js", "/media/levels.js"].map(load));
    const link = new SignalingLink(new URL("/ws", location.href).href.replace(/^http/, "ws"));
    const room = new Room(link);
    const media = new mediaModule.LocalMedia();
    const screen = new mediaModule.ScreenShare();
    const loudest = async (/** @type {MediaStream} */ stream) => {
      const meter = new LevelMeter(stream);
      let level = 0;
      for (let look = 0; look < 10; look++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        // What was heard before the meter began is not counted.
        if (look > 3) level = Math.max(level, meter.level());
      }
      meter.close();
      return level;
    };
    /** @type {Engine} */
    const engine = {
      levels: { loudest: (stream) => (stream ? loudest(stream) : Promise.resolve(0)) },
      link, room, media, screen, mediaModule, statsModule, connections, faults: [], phases: [],
    };
    Object.assign(window, { engine });

    media.on("track", (/** @type {any} */ { kind, track }) => room.setTrack(kind, track));
    media.on("changed", (/** @type {any} */ { microphone, camera }) =>
      room.setPresence({ muted: !microphone.on, cameraOff: !camera.on }));
    screen.on("started", (/** @type {any} */ { stream }) => room.setScreen(stream));
    screen.on("ended", () => room.setScreen(null));
    link.on("state", (/** @type {any} */ { phase }) => engine.phases.push(phase));

    const show = (/** @type {string} */ name, /** @type {MediaStream | null} */ stream) => {
      let video = /** @type {HTMLVideoElement | null} */ (document.querySelector(`video[data-of="${name}"]`));
      if (!stream) return video?.remove();
      if (!video) {
        video = document.createElement("video");
        video.dataset.of = name;
        video.className = name.split(" ")[0];
        Object.assign(video, { autoplay: true, muted: true, width: 160, height: 90 });
        document.body.append(video);
      }
      if (video.srcObject !== stream) video.srcObject = stream;
    };
    room.on("mate-joined", (/** @type {any} */ mate) =>
      mate.peer.on("fault", (/** @type {unknown} */ fault) => engine.faults.push(String(fault))));
    room.on("stream", (/** @type {any} */ mate) => show(`camera ${mate.clientId}`, mate.stream));
    room.on("screen", (/** @type {any} */ mate) => show(`screen ${mate.clientId}`, mate.screen));
    room.on("mate-left", (/** @type {any} */ mate) => {
      show(`camera ${mate.clientId}`, null);
      show(`screen ${mate.clientId}`, null);
    });
  });
  return { page, problems };
}

/** @param {Page} page @param {string} roomId @param {{ displayName?: string, microphone?: boolean, camera?: boolean }} options */
export async function enter(page, roomId, { displayName = "", microphone = true, camera = true } = {}) {
  await page.evaluate(async ({ roomId, displayName, microphone, camera }) => {
    const { engine } = /** @type {{ engine: Engine }} */ (/** @type {unknown} */ (window));
    await engine.media.open({ microphone, camera });
    engine.link.connect();
    engine.room.join({ roomId, displayName, stream: engine.media.stream });
    await new Promise((resolve) => engine.room.on("joined", resolve));
  }, { roomId, displayName, microphone, camera });
}

/**
 * Runs it in the page with the engine at hand.
 * @template R, A
 * @param {Page} page
 * @param {(engine: Engine, argument: A) => R | Promise<R>} action
 * @param {A} [argument]
 * @returns {Promise<R>}
 */
export function withEngine(page, action, argument) {
  return page.evaluate(`(${action})(window.engine, ${JSON.stringify(argument)})`);
}

/**
 * Waits until it is true in the page.
 * @template A
 * @param {Page} page
 * @param {(engine: Engine, argument: A) => unknown} condition
 * @param {A} [argument]
 */
export async function until(page, condition, argument) {
  // The page's policy forbids what waitForFunction() does with a text.
  await page.evaluate(`new Promise((resolve, reject) => {
    const deadline = Date.now() + 30000;
    const look = async () => {
      if (await (${condition})(window.engine, ${JSON.stringify(argument)})) resolve();
      else if (Date.now() > deadline) reject(new Error("never true: " + ${JSON.stringify(String(condition))}));
      else setTimeout(look, 20);
    };
    look();
  })`);
}

/** A moving picture stands for the screen: there is none here. @param {Page} page */
export function fakeScreen(page) {
  return page.evaluate(() => {
    navigator.mediaDevices.getDisplayMedia = async () => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: 640, height: 360 });
      const context = canvas.getContext("2d");
      let frame = 0;
      const timer = setInterval(() => {
        if (!context) return;
        context.fillStyle = `hsl(${frame++ * 10} 80% 50%)`;
        context.fillRect(0, 0, 640, 360);
      }, 60);
      const stream = canvas.captureStream(15);
      const [track] = stream.getVideoTracks();
      const stop = track.stop.bind(track);
      track.stop = () => {
        clearInterval(timer);
        stop();
      };
      return stream;
    };
  });
}

/** The camera is the browser's fake one, the voice a steady tone by which it can be told. @param {Page} page @param {number} frequency */
export function hum(page, frequency) {
  return page.evaluate((frequency) => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const pictures = constraints?.video ? (await real({ video: constraints.video })).getTracks() : [];
      if (!constraints?.audio) return new MediaStream(pictures);
      const context = new AudioContext();
      const tone = new OscillatorNode(context, { frequency });
      const sound = context.createMediaStreamDestination();
      tone.connect(new GainNode(context, { gain: 0.2 })).connect(sound);
      tone.start();
      return new MediaStream([...pictures, ...sound.stream.getTracks()]);
    };
  }, frequency);
}
