import assert from "node:assert/strict";
import { test } from "node:test";

import { useServerAndBrowser } from "./harness.js";
import { openParts } from "./peer-parts.js";

/** @typedef {import("./peer-parts.js").Parts} Parts */

/**
 * @typedef {object} Call between a peer of ours and a foreign client, both with a camera
 * @property {import("../../../client/protocol/peer.js").Peer} peer
 * @property {RTCPeerConnection} foreign
 * @property {MediaStream} camera the foreign one's
 * @property {() => MediaStream} picture another one that moves
 * @property {Record<string, MediaStream | null>} shown by name: the "stream" and "screen" that we show, and what "they" show
 * @property {(name: string) => Promise<boolean>} moves whether that picture does, within 10 s
 * @property {string[]} faults
 */

const setup = useServerAndBrowser();

test("a foreign client stops the camera's m-line and offers another: it goes on seeing ours", async () => {
  const page = await openCall({ polite: true });
  const moved = await page.evaluate(async () => {
    const { foreign, camera, shown, moves } = /** @type {Call} */ (Reflect.get(window, "call"));
    const before = [await moves("they"), await moves("stream")];
    foreign.getTransceivers().find(({ sender }) => sender.track?.kind === "video")?.stop();
    shown.they = null;
    foreign.addTransceiver(camera.getVideoTracks()[0].clone(), { streams: [camera] });
    return [...before, await moves("they"), await moves("stream")];
  });
  assert.deepEqual(moved, [true, true, true, true]);
  await isSound(page);
});

test("a foreign client shares its screen while we share ours: both are seen, and theirs outlives ours", async () => {
  const page = await openCall({ polite: false });
  const moved = await page.evaluate(async () => {
    const { peer, foreign, picture, shown, moves } = /** @type {Call} */ (Reflect.get(window, "call"));
    const seen = [await moves("they"), await moves("stream")];
    shown.they = null;
    peer.setScreen(picture());
    seen.push(await moves("they"));
    const screen = picture();
    // As most clients do it, which puts the screen on the m-line of ours.
    const sender = foreign.addTrack(screen.getTracks()[0], screen);
    seen.push(await moves("screen"));
    peer.setScreen(null);
    seen.push(await moves("screen"));
    shown.they = null;
    peer.setScreen(picture());
    seen.push(await moves("they"), await moves("screen"), await moves("stream"));
    foreign.removeTrack(sender);
    const deadline = performance.now() + 5_000;
    while (shown.screen && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    return [...seen, !shown.screen, await moves("stream")];
  });
  assert.deepEqual(moved, Array(10).fill(true));
  await isSound(page);
});

for (const polite of [true, false]) {
  test(`a foreign client that ${polite ? "calls" : "is called"} turns its camera off and on by removing it: it is no screen`, async () => {
    const page = await openCall({ polite });
    const moved = await page.evaluate(async () => {
      const { foreign, camera, picture, shown, moves } = /** @type {Call} */ (Reflect.get(window, "call"));
      const seen = [await moves("stream")];
      for (let round = 0; round < 2; round++) {
        foreign.removeTrack(foreign.getSenders().filter(({ track }) => track)[0]);
        const deadline = performance.now() + 5_000;
        while (shown.stream?.getTracks().length && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
        foreign.addTrack(camera.getTracks()[0].clone(), camera);
        seen.push(await moves("stream"), !shown.screen);
      }
      const screen = picture();
      foreign.addTrack(screen.getTracks()[0], screen);
      return [...seen, await moves("screen"), await moves("stream"), await moves("they")];
    });
    assert.deepEqual(moved, Array(8).fill(true));
    await isSound(page);
  });
}

/** A page with a `Call`; our side is polite where it is called, as in a room. @param {{ polite: boolean }} role */
async function openCall({ polite }) {
  const page = await openParts(setup);
  await page.evaluate(async (polite) => {
    const { Peer, Connection } = /** @type {Parts} */ (Reflect.get(window, "parts"));
    // Videos below the fold are paused.
    document.body.replaceChildren();
    const picture = () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 90 });
      const context = canvas.getContext("2d");
      let frame = 0;
      setInterval(() => {
        if (context) context.fillStyle = `hsl(${frame++ * 10} 80% 50%)`;
        context?.fillRect(0, 0, 160, 90);
      }, 60);
      return canvas.captureStream(15);
    };
    const camera = picture();
    const foreign = new RTCPeerConnection();
    /** @type {string[]} */
    const faults = [];
    /** @type {Record<string, MediaStream | null>} */
    const shown = {};
    const moves = async (/** @type {string} */ name) => {
      const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true, width: 160, height: 90 });
      document.body.append(video);
      const deadline = performance.now() + 10_000;
      const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
      while (performance.now() < deadline && frames() < 5) {
        if (video.srcObject !== (shown[name] ?? null)) video.srcObject = shown[name];
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      video.remove();
      return frames() >= 5;
    };

    let makingOffer = false;
    let ignoringOffer = false;
    let sends = false;
    const sendCamera = () => {
      sends = true;
      foreign.addTrack(camera.getTracks()[0], camera);
    };
    let received = Promise.resolve();
    const describe = async () => {
      await foreign.setLocalDescription();
      const { type, sdp } = /** @type {RTCSessionDescription} */ (foreign.localDescription);
      peer.receive({ type: /** @type {"offer" | "answer"} */ (type), sdp: { type, sdp }, fromId: "foreign", fromUserId: null });
    };
    const peer = new Peer({
      polite, iceServers: [], stream: picture(),
      send: (signal) => {
        const { type, ...rest } = JSON.parse(JSON.stringify(signal));
        received = received.then(async () => {
          if (type === "candidate") return foreign.addIceCandidate(rest.candidate).catch(() => {});
          const collision = type === "offer" && (makingOffer || foreign.signalingState !== "stable");
          ignoringOffer = collision && polite;
          if (ignoringOffer) return;
          await foreign.setRemoteDescription(rest.sdp);
          if (!sends) sendCamera();
          if (type === "offer") await describe();
        }).catch((error) => void faults.push(String(error)));
      },
    }, Connection);
    foreign.onnegotiationneeded = async () => {
      makingOffer = true;
      await describe().finally(() => (makingOffer = false));
    };
    foreign.onicecandidate = ({ candidate }) =>
      peer.receive({ type: "candidate", candidate: candidate && candidate.toJSON(), fromId: "foreign" });
    foreign.ontrack = ({ streams, track }) => {
      shown.they = streams[0] ?? new MediaStream([track]);
    };
    peer.on("fault", (fault) => faults.push(String(fault)));
    peer.on("stream", (stream) => (shown.stream = stream));
    peer.on("screen", (screen) => (shown.screen = screen));
    if (polite) sendCamera();
    Object.assign(window, { call: { peer, foreign, camera, picture, shown, moves, faults } });
  }, polite);
  return page;
}

/** @param {import("./harness.js").Page} page */
async function isSound(page) {
  assert.deepEqual(await page.evaluate(() => /** @type {Call} */ (Reflect.get(window, "call")).faults), []);
}
