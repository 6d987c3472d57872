import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { LocalMedia, ScreenShare } from "../../../client/media/capture.js";
import { fakeDevices } from "./fake-devices.js";
import { present, settled } from "./fakes.js";

/** @type {ReturnType<typeof fakeDevices>} */
let questions;

beforeEach(() => {
  questions = fakeDevices();
});

test("a screen that is chosen after the share was stopped is let go, and nothing begins", async () => {
  const share = new ScreenShare();
  let begun = 0;
  share.on("started", () => begun++);
  const asked = share.start();
  await settled();
  share.stop();
  const [track] = present(questions[0]).allow();
  assert.equal(await asked, null);
  assert.equal(track.readyState, "ended");
  assert.equal(share.stream, null);
  assert.equal(begun, 0);
});

test("a share that was stopped while the browser asked can be asked for anew, whatever the old answer is", async () => {
  const share = new ScreenShare();
  const before = share.start();
  await settled();
  share.stop();
  const again = share.start();
  await settled();
  present(questions[0]).refuse("NotAllowedError");
  assert.equal(await before, null, "nobody waits for that answer");
  present(questions[0]).allow();
  assert.equal(await again, null);
  assert.ok(share.stream);
});

test("sharing twice asks once", async () => {
  const share = new ScreenShare();
  const answers = [share.start(), share.start()];
  await settled();
  assert.equal(questions.length, 1);
  present(questions[0]).refuse("NotAllowedError");
  assert.deepEqual(await Promise.all(answers), ["denied", "denied"]);
  share.start();
  await settled();
  assert.equal(questions.length, 1, "a refusal can be thought over");
});

test("muting and closing wait for no answer to a question, and what it opens later is let go", async () => {
  const { media, microphone } = await withMicrophone();
  const camera = media.setCameraOff(false);
  await settled();
  media.setMuted(true);
  assert.equal(microphone.enabled, false);
  assert.equal(media.state.microphone.on, false);
  media.setMuted(false);
  assert.equal(microphone.enabled, true);

  media.close();
  assert.equal(microphone.readyState, "ended");
  assert.deepEqual(media.stream.getTracks(), []);
  const [late] = present(questions[0]).allow();
  assert.equal(await camera, null);
  assert.equal(late.readyState, "ended");
  assert.deepEqual(media.stream.getTracks(), []);
});

test("a camera that is switched off while the browser asks for both does not go on; the microphone does", async () => {
  const media = new LocalMedia();
  const opened = media.open();
  await settled();
  media.setCameraOff(true);
  media.setMuted(true);
  const [microphone, camera] = present(questions[0]).allow();
  await opened;
  assert.equal(camera.readyState, "ended");
  assert.equal(microphone.readyState, "live");
  assert.equal(microphone.enabled, false, "muted before it was open");
});

test("what is closed while it waits its turn is not asked for, and an old refusal is no problem", async () => {
  const media = new LocalMedia();
  const answers = [media.setCameraOff(false), media.setMuted(false)];
  await settled();
  media.close();
  present(questions[0]).refuse("NotAllowedError");
  assert.deepEqual(await Promise.all(answers), [null, null]);
  assert.equal(questions.length, 0);
  assert.equal(media.state.camera.problem, null);
});

test("a device that is chosen while it is off is not opened before it is switched on", async () => {
  const { media } = await withMicrophone();
  assert.equal(await media.switchDevice("camera", "chosen"), null);
  assert.equal(questions.length, 0);
  assert.equal(media.state.camera.on, false);
  assert.equal(media.state.camera.deviceId, "chosen");
  media.setCameraOff(false);
  await settled();
  assert.deepEqual(present(questions[0]).constraints.video.deviceId, { ideal: "chosen" });
});

test("what was chosen is asked for alone while the browser lists it, and before others once it does not", async () => {
  for (const [ids, constraint] of /** @type {[string[], object][]} */ ([
    [["other", "chosen"], { exact: "chosen" }],
    [["other"], { ideal: "chosen" }],
  ])) {
    questions = fakeDevices(ids);
    const media = new LocalMedia();
    media.prefer("camera", "chosen");
    media.open({ microphone: false });
    await settled();
    assert.deepEqual(present(questions[0]).constraints.video.deviceId, constraint);
  }
});

test("instead of a device that failed another one can be chosen, unless all were closed since", async () => {
  const media = new LocalMedia();
  const failed = media.setCameraOff(false);
  await settled();
  present(questions[0]).refuse("NotReadableError");
  assert.equal(await failed, "busy");
  const chosen = media.switchDevice("camera", "other");
  await settled();
  present(questions[0]).refuse("NotReadableError");
  assert.equal(await chosen, "busy");
  media.close();
  assert.equal(await media.switchDevice("camera", "other"), null);
  assert.equal(questions.length, 0);
});

test("where only one camera can be open at a time, the old one goes before the new one comes, and comes back for it", async () => {
  const { media, camera } = await withCamera();
  const switched = media.switchDevice("camera", "front");
  await settled();
  assert.equal(camera.readyState, "live", "tried without a gap first");
  present(questions[0]).refuse("NotReadableError");
  await settled();
  assert.equal(camera.readyState, "ended");
  const [front] = present(questions[0]).allow();
  assert.equal(await switched, null);
  assert.deepEqual(media.stream.getTracks(), [front]);

  const failed = media.switchDevice("camera", "broken");
  for (const name of ["NotReadableError", "NotReadableError"]) {
    await settled();
    present(questions[0]).refuse(name);
  }
  await settled();
  assert.deepEqual(present(questions[0]).constraints.video.deviceId, { ideal: "front" });
  present(questions[0]).allow();
  assert.equal(await failed, "busy");
  assert.equal(media.state.camera.on, true);
  assert.equal(media.state.camera.deviceId, "front");
});

test("who was muted before everything was closed is heard when the microphone is asked for again", async () => {
  const { media } = await withMicrophone();
  media.setMuted(true);
  media.close();
  const opened = media.open({ camera: false });
  await settled();
  const [microphone] = present(questions[0]).allow();
  assert.equal((await opened).microphone.on, true);
  assert.equal(microphone.enabled, true);
});

async function withMicrophone() {
  const media = new LocalMedia();
  const opened = media.open({ camera: false });
  await settled();
  const [microphone] = present(questions[0]).allow();
  await opened;
  return { media, microphone };
}

async function withCamera() {
  const media = new LocalMedia();
  const opened = media.open({ microphone: false });
  await settled();
  const [camera] = present(questions[0]).allow();
  await opened;
  return { media, camera };
}
