import assert from "node:assert/strict";
import { test } from "node:test";

/** @type {Set<string>} */
const working = new Set(["", "desk", "headset"]);
/** @type {Record<string, string>} */
const store = {};

class FakePlayer {
  sinkId = "";

  /** @param {string} deviceId */
  async setSinkId(deviceId) {
    if (!working.has(deviceId)) throw new DOMException("no such device", "NotFoundError");
    this.sinkId = deviceId;
  }
}

const localStorage = {
  getItem: (/** @type {string} */ key) => store[key] ?? null,
  setItem: (/** @type {string} */ key, /** @type {string} */ value) => void (store[key] = value),
};
Object.assign(globalThis, { Audio: FakePlayer, localStorage });

const { chooseSpeaker, playOnChosenSpeaker, speakerInUse, speakersAre } = await import("../../../client/page/parts/speaker.js");
const { recall } = await import("../../../client/page/headless/remembered.js");

test("a speaker is remembered once it works, used while it is there, and its loss is told once", async () => {
  const [before, later] = [player(), player()];
  playOnChosenSpeaker(before);
  assert.equal(speakersAre(["desk", "headset"]), false);
  assert.equal(await chooseSpeaker("broken"), false);
  assert.equal(recall("speaker"), undefined);
  assert.equal(before.sinkId, "");

  assert.equal(await chooseSpeaker("headset"), true);
  assert.equal(recall("speaker"), "headset");
  assert.equal(before.sinkId, "headset");

  assert.equal(speakersAre([""]), false, "a browser that tells no ids");
  assert.equal(before.sinkId, "headset");
  assert.equal(speakersAre(["desk"]), true, "told the first time");
  assert.equal(speakersAre(["desk"]), false);
  assert.equal(before.sinkId, "");
  const forget = playOnChosenSpeaker(later);
  assert.equal(later.sinkId, "");

  assert.equal(speakersAre(["desk", "headset"]), false);
  assert.equal(speakerInUse(), "headset", "plugged in again");
  assert.equal(later.sinkId, "headset");
  forget();
  await chooseSpeaker("desk");
  assert.equal(before.sinkId, "desk");
  assert.equal(later.sinkId, "headset");
});

function player() {
  return /** @type {HTMLMediaElement} */ (/** @type {unknown} */ (new FakePlayer()));
}
