import assert from "node:assert/strict";
import { test } from "node:test";

import { enter, hum, openEngine, until, withEngine } from "./engine.js";
import { launchBrowser, seesMoving, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

// The second and third give formats that are not sent as they are; the fourth is like the first.
const setup = useServerAndBrowser({ launch: () => launchBrowser({ cameras: 4 }) });

test("camera switched, muted, off and on again in a call: the far side sees and hears it, nothing is negotiated", async () => {
  const [{ page: ann, problems }, { page: bob }] = [await openEngine(setup), await openEngine(setup)];
  await hum(ann, 700);
  await enter(bob, "devices");
  await enter(ann, "devices", { displayName: "Ann" });
  await Promise.all([ann, bob].map((page) => seesMoving(page, 1, "video.camera")));
  await countOffers(bob);

  const { cameras } = await withEngine(ann, ({ mediaModule }) => mediaModule.listDevices());
  assert.equal(cameras.length, 4);
  assert.equal(await withEngine(ann, ({ media }) => media.state.camera.deviceId), cameras[0]?.deviceId);
  const other = cameras[3]?.deviceId ?? "";
  assert.equal(await withEngine(ann, ({ media }, id) => media.switchDevice("camera", id), other), null);
  assert.equal(await withEngine(ann, ({ media }) => media.state.camera.deviceId), other);
  assert.equal(await withEngine(ann, ({ media, connections }) => {
    const sent = connections[0]?.getSenders().find(({ track }) => track?.kind === "video")?.track;
    return sent === media.stream.getVideoTracks()[0] && sent?.readyState;
  }), "live");
  await seesMoving(bob, 1, "video.camera");

  await until(bob, hears);
  await withEngine(ann, ({ media }) => media.setMuted(true));
  await until(bob, ({ room }) => [...room.mates.values()].every(({ presence }) => presence?.muted === true));
  await until(bob, isSilent);
  await withEngine(ann, ({ media }) => media.setMuted(false));
  await until(bob, ({ room }) => [...room.mates.values()].every(({ presence }) => presence?.muted === false));
  await until(bob, hears);

  const camera = await ann.evaluateHandle(() => Reflect.get(window, "engine").media.stream.getVideoTracks()[0]);
  await withEngine(ann, ({ media }) => media.setCameraOff(true));
  assert.equal(await camera.evaluate(({ readyState }) => readyState), "ended", "the device is let go");
  await until(bob, ({ room }) => [...room.mates.values()].every(({ presence }) => presence?.cameraOff === true));
  await until(bob, isStill);
  assert.equal(await withEngine(ann, ({ media }) => media.setCameraOff(false)), null);
  await until(bob, ({ room }) => [...room.mates.values()].every(({ presence }) => presence?.cameraOff === false));
  await seesMoving(bob, 1, "video.camera");

  assert.equal(await withEngine(bob, () => Reflect.get(window, "offers")), 0);
  for (const page of [ann, bob]) {
    assert.deepEqual(await withEngine(page, ({ faults }) => faults), []);
    assert.ok(await withEngine(page, ({ connections }) => connections.every(({ signalingState }) => signalingState === "stable")));
  }
  assert.deepEqual(problems, []);
});

test("a device that is gone leaves the old one in use; one joins without a camera and turns it on later", async () => {
  const [{ page: ann }, { page: bob }] = [await openEngine(setup), await openEngine(setup)];
  await enter(bob, "later", { camera: false });
  await enter(ann, "later");
  await seesMoving(bob, 1, "video.camera");
  assert.equal(await withEngine(ann, ({ media }) => media.switchDevice("camera", "gone")), "missing");
  await seesMoving(bob, 1, "video.camera");
  assert.equal(await withEngine(bob, ({ media }) => media.setCameraOff(false)), null);
  await seesMoving(ann, 1, "video.camera");
});

for (const [name, problem] of [
  ["NotAllowedError", "denied"], ["NotFoundError", "missing"], ["NotReadableError", "busy"], ["TypeError", "failed"],
]) {
  test(`a camera that throws ${name} is "${problem}", and the microphone works without it`, async () => {
    const { page } = await openEngine(setup);
    const state = await withEngine(page, async ({ media }, name) => {
      const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        if (constraints?.video) throw new DOMException("no", name);
        return real(constraints);
      };
      return media.open();
    }, name);
    assert.equal(state.camera.problem, problem);
    assert.equal(state.camera.on, false);
    assert.equal(state.microphone.problem, null);
    assert.equal(state.microphone.on, true);
    await page.context().close();
  });
}

/** @param {Page} page */
function countOffers(page) {
  return withEngine(page, ({ link }) => {
    Reflect.set(window, "offers", 0);
    link.on("message", ({ type }) => {
      if (type === "offer") Reflect.set(window, "offers", Reflect.get(window, "offers") + 1);
    });
  });
}

/** @param {import("./engine.js").Engine} engine */
async function hears({ room, levels }) {
  return (await levels.loudest([...room.mates.values()][0].stream)) > 0.5;
}

/** @param {import("./engine.js").Engine} engine */
async function isSilent({ room, levels }) {
  return (await levels.loudest([...room.mates.values()][0].stream)) < 0.1;
}

/** No frame came within a moment. @param {import("./engine.js").Engine} engine */
function isStill({ connections }) {
  return connections[0].getStats().then(async (before) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await connections[0].getStats();
    const [entry] = [...now.values()].filter(({ type, kind, mid }) => type === "inbound-rtp" && kind === "video" && mid === "1");
    return entry.framesDecoded === before.get(entry.id).framesDecoded;
  });
}
