import assert from "node:assert/strict";
import { test } from "node:test";

import { enter, fakeScreen, openEngine, until, withEngine } from "./engine.js";
import { seesMoving, useServerAndBrowser } from "./harness.js";

const ROUNDS = 20;

const setup = useServerAndBrowser();

test(`both start a screen share within 50 ms, ${ROUNDS} times: both screens move, nothing is stuck`, async () => {
  const pages = [await openEngine(setup), await openEngine(setup)];
  const [ann, bob] = pages.map(({ page }) => page);
  for (const page of [ann, bob]) {
    await fakeScreen(page);
    await enter(page, "glare");
  }
  await Promise.all([ann, bob].map((page) => seesMoving(page, 1, "video.camera")));
  await Promise.all([ann, bob].map(countOffers));

  let close = 0;
  // On a busy machine a page may wake late: such a round is looked at, but not counted.
  for (let round = 0; close < ROUNDS; round++) {
    assert.ok(round < 4 * ROUNDS, `only ${close} of ${round} rounds began within 50 ms`);
    // Both clocks are this machine's, so one moment can be agreed on.
    const at = Date.now() + 200;
    const starts = await Promise.all([ann, bob].map((page) => startScreenAt(page, at)));
    if (Math.abs(starts[0] - starts[1]) <= 50) close++;
    await Promise.all([ann, bob].map((page) => seesMoving(page, 1, "video.screen")));
    await Promise.all([ann, bob].map((page) => seesMoving(page, 1, "video.camera")));
    await Promise.all([ann, bob].map((page) =>
      until(page, ({ connections }) => connections.every(({ signalingState }) => signalingState === "stable"))));
    await Promise.all([ann, bob].map((page) => withEngine(page, ({ screen }) => screen.stop())));
    await Promise.all([ann, bob].map((page) => until(page, () => !document.querySelector("video.screen"))));
  }
  const offers = await Promise.all([ann, bob].map((page) => withEngine(page, () => Reflect.get(window, "offers"))));
  assert.deepEqual(offers, [0, 0], "between clients of this kind a share needs no offer, so none can collide");
  const lines = await withEngine(ann, ({ connections }) => connections[0]?.getTransceivers().length);
  assert.ok(Number(lines) <= 4, `${lines} m-lines: they must not grow with each share`);
  for (const { page, problems } of pages) {
    assert.deepEqual(await withEngine(page, ({ faults }) => faults), []);
    assert.deepEqual(problems, []);
  }
});

test("who joins while somebody shares sees camera and screen apart, and the screen's end", async () => {
  const [{ page: ann }, { page: bob }] = [await openEngine(setup), await openEngine(setup)];
  await fakeScreen(ann);
  await enter(ann, "late");
  await withEngine(ann, ({ screen }) => screen.start());
  await enter(bob, "late");
  await Promise.all([seesMoving(bob, 1, "video.camera"), seesMoving(bob, 1, "video.screen")]);
  await until(bob, ({ room }) => [...room.mates.values()].every(({ presence }) => presence?.sharing === true));

  // The browser's own bar ends the track; the page hears of it by an event only.
  await withEngine(ann, ({ screen }) => void screen.stream?.getVideoTracks()[0]?.dispatchEvent(new Event("ended")));
  await until(bob, ({ room }) => [...room.mates.values()].every(({ presence, screen }) => !presence?.sharing && !screen));
  await seesMoving(bob, 1, "video.camera");
});

/** @param {import("./harness.js").Page} page @param {number} at */
function startScreenAt(page, at) {
  return withEngine(page, async ({ screen }, at) => {
    while (Date.now() < at) await new Promise((resolve) => setTimeout(resolve, 1));
    const started = Date.now();
    await screen.start();
    return started;
  }, at);
}

/** @param {import("./harness.js").Page} page */
function countOffers(page) {
  return withEngine(page, ({ link }) => {
    Reflect.set(window, "offers", 0);
    link.on("message", ({ type }) => {
      if (type === "offer") Reflect.set(window, "offers", Reflect.get(window, "offers") + 1);
    });
  });
}
