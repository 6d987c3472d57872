import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { LocalMedia, ScreenShare } from "../../../client/media.js";
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
