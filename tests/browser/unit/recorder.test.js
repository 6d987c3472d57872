import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Recorder } from "../../../client/recording/recorder.js";
import { fakeFiles } from "./fake-files.js";
import { settled } from "./fakes.js";

class FakeMediaRecorder {
  static isTypeSupported = () => true;
  static fails = false;
  state = "inactive";
  ondataavailable = (/** @type {{ data: Blob }} */ _) => {};
  onstop = () => {};

  start() {
    if (FakeMediaRecorder.fails) throw new DOMException("no", "NotSupportedError");
    this.state = "recording";
  }

  stop() {
    this.state = "inactive";
    this.ondataavailable({ data: new Blob(["what was recorded"]) });
    this.onstop();
  }
}

class FakeMediaStream {
  getVideoTracks = () => [];
  getAudioTracks = () => [];
}

class FakeAudioContext {
  async resume() {}
  createMediaStreamDestination = () => ({ stream: new FakeMediaStream() });
}

class FakeWorker {
  isRunning = true;

  constructor() {
    drawers.push(this);
  }

  postMessage() {}

  terminate() {
    this.isRunning = false;
  }
}

/** @type {ReturnType<typeof fakeFiles>} */
let files;
/** @type {FakeWorker[]} */
let drawers;

beforeEach(() => {
  files = fakeFiles();
  drawers = [];
  Object.assign(globalThis, { MediaRecorder: FakeMediaRecorder, AudioContext: FakeAudioContext, MediaStream: FakeMediaStream, Worker: FakeWorker });
  const context = new Proxy({}, { get: () => () => {}, set: () => true });
  const canvas = { getContext: () => context, captureStream: () => new FakeMediaStream() };
  Object.assign(globalThis, { document: { createElement: () => canvas } });
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

test("a recording that cannot be started draws nothing, and leaves nothing behind", async () => {
  FakeMediaRecorder.fails = true;
  try {
    await assert.rejects(new Recorder().start({ fileName: "call", participants: () => [] }));
  } finally {
    FakeMediaRecorder.fails = false;
  }
  assert.deepEqual(drawers.map(({ isRunning }) => isRunning), [false]);
  assert.equal(files.recordings().length, 0);
});

test("a recording of which nothing could be written leaves no file behind; any other one does", async () => {
  for (const full of [true, false]) {
    const recorder = new Recorder();
    await recorder.start({ fileName: "call", participants: () => [] });
    files.disk.full = full;
    const recording = await recorder.stop();
    assert.equal(recording?.bytes, full ? 0 : 17);
    assert.equal(recording?.file === null, full);
    assert.equal(files.recordings().length, full ? 0 : 1);
  }
});

test("where files cannot be written, as in Safari before 26, recording is not offered", () => {
  assert.equal(Recorder.supported, true);
  Object.assign(globalThis, { FileSystemFileHandle: class {} });
  assert.equal(Recorder.supported, false);
});
