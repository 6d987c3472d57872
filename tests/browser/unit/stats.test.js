import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Events } from "../../../client/protocol/events.js";
import { StatsSampler, summarize } from "../../../client/protocol/stats.js";
import { durationAt, withDuration } from "../../../client/recording/webm.js";
import { settled } from "./fakes.js";

/** @param {any[]} entries @returns {any} */
const report = (...entries) => new Map(entries.map((entry) => [entry.id, entry]));

const PATH = [
  { id: "T", type: "transport", selectedCandidatePairId: "P" },
  { id: "P", type: "candidate-pair", timestamp: 2_000, currentRoundTripTime: 0.05, localCandidateId: "L", remoteCandidateId: "R" },
  { id: "L", type: "local-candidate", candidateType: "host", protocol: "udp" },
  { id: "R", type: "remote-candidate", candidateType: "relay" },
];
/** @param {number} second @param {object} [more] */
const video = (second, more) => ({
  id: "I", type: "inbound-rtp", kind: "video", mid: "1", timestamp: second * 1_000, frameWidth: 640, frameHeight: 360,
  bytesReceived: second * 10_000, framesDecoded: second * 24, packetsReceived: second * 90, packetsLost: second * 10, ...more,
});

test("two reports become rates, loss, size and path", () => {
  const sent = (/** @type {number} */ second) => ({
    id: "O", type: "outbound-rtp", kind: "video", mid: "1", timestamp: second * 1_000, frameWidth: 1280, frameHeight: 720,
    bytesSent: second * 20_000, framesEncoded: second * 30,
  });
  const told = { id: "X", type: "remote-inbound-rtp", fractionLost: 0.25 };
  assert.deepEqual(summarize(report(video(1), sent(1)), report(...PATH, video(2), sent(2), told), "1"), {
    at: 2_000, roundTripMs: 50, lossDown: 0.1, lossUp: 0.25, bitsDown: 80_000, bitsUp: 160_000,
    camera: { width: 640, height: 360, framesPerSecond: 24 }, screen: null,
    sent: { width: 1280, height: 720, framesPerSecond: 30 },
    path: { local: "host", remote: "relay", protocol: "udp" }, relayed: true,
  });
});

test("a picture on another m-line than the camera's is a screen; one that stands still is none", () => {
  const screen = (/** @type {number} */ second, /** @type {number} */ framesDecoded) =>
    video(second, { id: "S", mid: "0", frameWidth: 1920, frameHeight: 1080, framesDecoded });
  const moving = summarize(report(video(1), screen(1, 5)), report(video(2), screen(2, 15)), "1");
  assert.deepEqual(moving.screen, { width: 1920, height: 1080, framesPerSecond: 10 });
  assert.equal(moving.camera?.width, 640);
  assert.equal(summarize(report(video(1), screen(1, 5)), report(video(2), screen(2, 5)), "1").screen, null);
});

test("without a path or packets nothing is made up", () => {
  const { path, relayed, roundTripMs, lossDown, lossUp, camera, bitsDown } = summarize(report(), report(), null);
  assert.deepEqual({ path, relayed, roundTripMs, lossDown, lossUp, camera, bitsDown },
    { path: null, relayed: null, roundTripMs: null, lossDown: null, lossUp: null, camera: null, bitsDown: 0 });
});

test("packets that were found again are no negative loss", () => {
  assert.equal(summarize(report(video(1)), report(video(2, { packetsLost: 3 })), "1").lossDown, 0);
});

test("a peer that is slow to tell, or fails to, is not asked meanwhile, and is asked again", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  /** @type {((error: Error) => void)[]} */
  const asked = [];
  const peer = { cameraMid: null, getStats: () => new Promise((_, reject) => asked.push(reject)) };
  const room = Object.assign(new Events(), { mates: new Map([["bob", { peer }]]) });
  const sampler = new StatsSampler(/** @type {any} */ (room), { intervalMs: 1_000 });
  sampler.start();
  mock.timers.tick(3_000);
  assert.equal(asked.length, 1);
  asked[0]?.(new Error("closed"));
  await settled();
  mock.timers.tick(1_000);
  assert.equal(asked.length, 2);
  sampler.stop();
  mock.timers.reset();
});

// EBML header, Segment of unknown size, Info with TimecodeScale, and the start of Tracks.
const WEBM = new Uint8Array([
  0x1a, 0x45, 0xdf, 0xa3, 0x80, 0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
  0x15, 0x49, 0xa9, 0x66, 0x87, 0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40, 0x16, 0x54, 0xae, 0x6b, 0x80,
]);

test("a WebM header gets room for its duration, and all else stays", () => {
  const { bytes, position } = withDuration(WEBM);
  assert.equal(bytes.length, WEBM.length + 11 + 3);
  assert.deepEqual([...bytes.subarray(21, 25)], [0x10, 0, 0, 18], "the size of Info, in four bytes");
  assert.deepEqual([...bytes.subarray(25, 32)], [...WEBM.subarray(22, 29)]);
  assert.equal(position, 35);
  assert.deepEqual([...bytes.subarray(32, 35)], [0x44, 0x89, 0x88]);
  assert.deepEqual([...bytes.subarray(43)], [...WEBM.subarray(29)]);
  assert.equal(withDuration(bytes).position, position, "one that is there is used");
  assert.equal(new DataView(durationAt(20_500).buffer).getFloat64(0), 20_500);
});

test("what is no WebM, or cut short, is left as it is", () => {
  for (const bytes of [new Uint8Array(), new Uint8Array(50), WEBM.slice(0, 25), new TextEncoder().encode("RIFF....WEBP")]) {
    assert.deepEqual(withDuration(bytes), { bytes, position: null });
  }
});
