import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Recorder } from "../../../client/recorder.js";
import { fakeFiles } from "./fake-files.js";
import { settled } from "./fakes.js";

/** @type {ReturnType<typeof fakeFiles>} */
let files;

beforeEach(() => {
  files = fakeFiles();
  const MediaRecorder = Object.assign(class {}, { isTypeSupported: () => true });
  const AudioContext = class {
    async resume() {}
  };
  Object.assign(globalThis, { MediaRecorder, AudioContext });
});

test("a recording that is stopped while people choose its file does not begin, and leaves nothing behind", async () => {
  /** @type {(handle: any) => void} */
  let choose = () => {};
  Object.assign(globalThis, { showSaveFilePicker: () => new Promise((resolve) => (choose = resolve)) });
  const chosen = files.handle("chosen.webm");
  try {
    const recorder = new Recorder();
    const participants = () => assert.fail("nobody is recorded");
    const started = recorder.start({ fileName: "call", participants });
    await settled();
    await recorder.stop();
    choose(chosen);
    assert.equal(await started, false);
    assert.equal(recorder.recording, false);
    assert.equal(chosen.writable?.state, "aborted");
  } finally {
    Reflect.deleteProperty(globalThis, "showSaveFilePicker");
  }
});

test("where files cannot be written, as in Safari before 26, recording is not offered", () => {
  assert.equal(Recorder.supported, true);
  Object.assign(globalThis, { FileSystemFileHandle: class {} });
  assert.equal(Recorder.supported, false);
});
