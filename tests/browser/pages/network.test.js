import assert from "node:assert/strict";
import { test } from "node:test";

import { enter, openEngine, until, withEngine } from "./engine.js";
import { seesMoving, startServer, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const OUTAGE_MS = 5_000;

const setup = useServerAndBrowser();

test("the server is gone for 5 s: the pages come back by themselves, with moving pictures and what they had told", async () => {
  const pages = [await openEngine(setup), await openEngine(setup)].map(({ page }) => page);
  const [ann, bob] = pages;
  for (const page of pages) await enter(page, "outage", { displayName: "somebody" });
  await withEngine(ann, ({ room }) => room.setPresence({ handRaised: true }));
  assert.equal(await withEngine(ann, ({ room }) => room.say("before")), true);
  await until(bob, ({ room }) => room.chat.length === 1);
  await Promise.all(pages.map((page) => seesMoving(page, 1, "video.camera")));

  await setup.server.stop();
  await Promise.all(pages.map((page) => until(page, ({ link }) => ["waiting", "connecting"].includes(link.state.phase))));
  assert.equal(await withEngine(ann, ({ room }) => room.say("meanwhile")), false, "the page keeps what it could not send");
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
  setup.server = await startServer([], setup.server.address);

  await Promise.all(pages.map((page) => until(page, ({ room }) => room.seated && room.mates.size === 1)));
  await Promise.all(pages.map((page) => seesMoving(page, 1, "video.camera")));
  await until(bob, ({ room }) => [...room.mates.values()].every(({ presence }) => presence?.handRaised === true));
  assert.deepEqual(await withEngine(bob, ({ room }) => room.chat.map(({ text }) => text)), ["before"]);
  for (const page of pages) assert.deepEqual(await withEngine(page, ({ faults }) => faults), []);
});

test("a device without a network waits, and comes back as soon as there is one", async () => {
  const { page } = await openEngine(setup);
  await enter(page, "offline");
  await page.context().setOffline(true);
  // Emulation leaves an open WebSocket alone; the server's end does what a cut cable would.
  const { address } = setup.server;
  await setup.server.stop("SIGKILL");
  await until(page, ({ link }) => link.state.phase === "offline");
  setup.server = await startServer([], address);
  await page.context().setOffline(false);
  await until(page, ({ link, room }) => link.state.phase === "online" && room.seated);
});

test("a device that never hears of a network comes back all the same to a server of its own", async () => {
  const { page } = await openEngine(setup);
  await page.evaluate(() => Object.defineProperty(navigator, "onLine", { value: false }));
  await enter(page, "alone");
  const { address } = setup.server;
  await setup.server.stop("SIGKILL");
  await until(page, ({ link }) => link.state.phase === "offline");
  setup.server = await startServer([], address);
  await until(page, ({ link, room }) => link.state.phase === "online" && room.seated);
});

test("from Wi-Fi to mobile, which no `online` tells: the link is asked at once whether it still lives", async () => {
  const { page } = await openEngine(setup);
  await page.evaluate(() => {
    const connection = Object.assign(new EventTarget(), { type: "wifi" });
    Object.defineProperty(navigator, "connection", { value: connection });
  });
  await enter(page, "moving");
  // What goes over the old network is never answered.
  await page.evaluate(() => void (WebSocket.prototype.send = () => {}));
  await page.evaluate(() => {
    Object.assign(/** @type {any} */ (navigator).connection, { type: "cellular" }).dispatchEvent(new Event("change"));
  });
  const left = Date.now();
  await until(page, ({ phases }) => phases.includes("waiting"));
  assert.ok(Date.now() - left < 10_000);
});

test("both change their network at once: they look for a new path, and the pictures go on", async () => {
  const pages = [await openEngine(setup), await openEngine(setup)].map(({ page }) => page);
  for (const page of pages) await enter(page, "roaming");
  await Promise.all(pages.map((page) => seesMoving(page, 1, "video.camera")));
  const before = await fragment(pages[0]);
  await Promise.all(pages.map((page) => page.evaluate(() => void dispatchEvent(new Event("online")))));
  await until(pages[0], ({ connections }, before) =>
    !connections[0]?.currentLocalDescription?.sdp.includes(before), `a=ice-ufrag:${before}\r\n`);
  await Promise.all(pages.map((page) => seesMoving(page, 1, "video.camera")));
  await until(pages[0], ({ connections }) => connections.every(({ connectionState }) => connectionState === "connected"));
});

test("statistics of a call: a path, a round trip, bits both ways and the size of the picture", async () => {
  const pages = [await openEngine(setup), await openEngine(setup)].map(({ page }) => page);
  for (const page of pages) await enter(page, "numbers");
  await Promise.all(pages.map((page) => seesMoving(page, 1, "video.camera")));
  const sample = await withEngine(pages[0], ({ room, statsModule }) => {
    const sampler = new statsModule.StatsSampler(room);
    sampler.start();
    return new Promise((resolve) => sampler.on("sample", ({ sample }) => {
      if (sample.camera && sample.roundTripMs !== null) resolve(sample);
    }));
  });
  assert.ok(sample.camera.width > 0 && sample.camera.framesPerSecond > 0);
  assert.ok(sample.bitsUp > 10_000 && sample.bitsDown > 10_000, JSON.stringify(sample));
  assert.equal(sample.relayed, false);
  assert.equal(sample.screen, null);
});

/** @param {Page} page */
function fragment(page) {
  return withEngine(page, ({ connections }) =>
    /a=ice-ufrag:(.*)\r\n/.exec(connections[0]?.currentLocalDescription?.sdp ?? "")?.[1] ?? "");
}
