import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { enter, hum, openEngine, until, withEngine } from "./engine.js";
import { join, openPage, seesMoving, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const SECONDS = 20;
const TONES = [500, 1_100, 1_900];

const setup = useServerAndBrowser();

test(`${SECONDS} s with three people: a file that plays, with all pictures and voices, and no chunk is kept in memory`, async () => {
  const pages = [await openEngine(setup), await openEngine(setup), await openEngine(setup)];
  const [ann] = pages.map(({ page }) => page);
  for (const [index, { page }] of pages.entries()) {
    await hum(page, TONES[index]);
    await enter(page, "record", { displayName: `Person ${index}` });
  }
  await seesMoving(ann, 2, "video.camera");
  await watchChunks(ann);
  await record(ann);
  await until(ann, () => Reflect.get(window, "recorder").elapsedMs > 20_000);
  const alive = await chunksAlive(ann);
  const stopped = await withEngine(ann, async () => {
    const { file, ...rest } = await Reflect.get(window, "recorder").stop();
    Reflect.set(window, "file", file);
    return { ...rest, size: file.size };
  });
  assert.equal(stopped.reason, "page");
  assert.equal(stopped.size, stopped.bytes);
  assert.ok(alive.seen >= 5, `${alive.seen} chunks`);
  assert.ok(alive.now <= SECONDS / 4, `${alive.now} of ${alive.seen} chunks are still in memory`);

  const film = await play(ann);
  assert.ok(Math.abs(film.duration - stopped.durationMs / 1_000) < 1, `it says ${film.duration} s, and took ${stopped.durationMs} ms`);
  assert.deepEqual([film.width, film.height], [1280, 720]);
  assert.deepEqual(film.moving, [true, true, true], "the pictures of all three move");

  const sound = await loudness(ann);
  assert.ok(Math.abs(sound.seconds - film.duration) < 1.5, `${sound.seconds} s of sound`);
  for (const [index, tone] of TONES.entries()) {
    assert.ok(sound.tones[index] > 20 * sound.between, `the voice at ${tone} Hz: ${sound.tones[index]}, between them ${sound.between}`);
  }
});

test("a recording that fills its store ends by itself, says so, and can be played", async () => {
  const { page } = await openEngine(setup);
  await hum(page, 700);
  await enter(page, "limit");
  await page.evaluate(() => {
    navigator.storage.estimate = async () => ({ quota: 500_000, usage: 0 });
  });
  await record(page);
  await until(page, () => Reflect.get(window, "stopped"));
  const stopped = await withEngine(page, () => {
    const { file, ...rest } = Reflect.get(window, "stopped");
    Reflect.set(window, "file", file);
    return { ...rest, size: file.size };
  });
  assert.equal(stopped.reason, "limit");
  assert.ok(stopped.size <= 200_000, `${stopped.size} bytes`);
  const duration = await withEngine(page, async () => {
    const video = Object.assign(document.createElement("video"), { src: URL.createObjectURL(Reflect.get(window, "file")) });
    await new Promise((resolve) => video.addEventListener("loadedmetadata", resolve));
    return video.duration;
  });
  assert.ok(duration > 0 && Math.abs(duration - stopped.durationMs / 1_000) < 0.1, `${duration} s`);
});

test("a file that people choose is written as the recording goes on, and nothing is left to download", async () => {
  const { page } = await openEngine(setup);
  await hum(page, 700);
  await enter(page, "chosen");
  await page.evaluate(() => {
    Reflect.set(window, "showSaveFilePicker", async (/** @type {any} */ { suggestedName }) => {
      const root = await navigator.storage.getDirectory();
      const handle = await root.getFileHandle(suggestedName, { create: true });
      Reflect.set(window, "chosen", handle);
      return handle;
    });
  });
  await record(page, true);
  assert.ok(await withEngine(page, () => Reflect.get(window, "chosenFirst")), "who is there counts when the file is chosen");
  await until(page, () => Reflect.get(window, "recorder").bytes > 100_000);
  const stopped = await withEngine(page, () => Reflect.get(window, "recorder").stop());
  assert.equal(stopped.saved, true);
  assert.equal(stopped.file, null);
  assert.equal(await withEngine(page, async () => (await Reflect.get(window, "chosen").getFile()).size), stopped.bytes);

  await page.evaluate(() => {
    Reflect.set(window, "showSaveFilePicker", async () => {
      throw new DOMException("The user aborted a request.", "AbortError");
    });
  });
  const begun = await withEngine(page, () => Reflect.get(window, "recorder").start({ fileName: "call", participants: () => [] }));
  assert.equal(begun, false);
});

test("a recording whose disk gets full breaks off, and what was committed up to then can be played", async () => {
  const { page } = await openEngine(setup);
  await hum(page, 700);
  await enter(page, "full");
  await page.evaluate(() => {
    // A minute in a second.
    const real = performance.now.bind(performance);
    performance.now = () => real() * 60;
    const { write } = FileSystemWritableFileStream.prototype;
    FileSystemWritableFileStream.prototype.write = function (data) {
      if (Reflect.has(window, "full")) throw new DOMException("The disk is full", "QuotaExceededError");
      return write.call(this, data);
    };
  });
  await watchCommits(page);
  await record(page);
  await until(page, () => Reflect.has(window, "committed"));
  await withEngine(page, () => Object.assign(window, { full: true }) && null);
  await until(page, () => Reflect.get(window, "stopped"));
  const stopped = await withEngine(page, async () => {
    const { file, ...rest } = Reflect.get(window, "stopped");
    const video = Object.assign(document.createElement("video"), { src: URL.createObjectURL(file) });
    await new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve);
      video.addEventListener("error", () => reject(video.error));
    });
    return { ...rest, size: file.size, duration: video.duration };
  });
  assert.equal(stopped.reason, "error");
  assert.equal(stopped.size, stopped.bytes);
  assert.equal(stopped.duration, stopped.durationMs / 1_000);
  assert.ok(stopped.durationMs > 0);
});

test("who reloads while it records is asked first, and finds afterwards what was recorded, until it is deleted", async () => {
  const { page, problems } = await openPage(setup.browser, "about:blank");
  await page.addInitScript(() => {
    Reflect.deleteProperty(window, "showSaveFilePicker");
    // A minute in a second.
    const real = performance.now.bind(performance);
    performance.now = () => real() * 60;
  });
  /** @type {string[]} */
  const asked = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    dialog.accept();
  });
  await page.goto(setup.server.url);
  await watchCommits(page);
  await join(page, "reloaded");
  await page.locator("#more").click();
  await page.locator("#record").click();
  // What is not committed goes with the page.
  await page.waitForFunction(() => Reflect.has(window, "committed"));
  await page.reload();
  assert.deepEqual(asked, ["beforeunload"]);
  const notice = page.locator("#notices p").filter({ hasText: "A recording of an earlier call is still here" });
  await notice.waitFor();
  for (let time = 0; time < 2; time++) {
    const saved = page.waitForEvent("download");
    await notice.getByRole("button", { name: "Download" }).click();
    assert.match((await saved).suggestedFilename(), /^signalpost-[\d-]+\.webm$/);
  }
  await notice.getByRole("button", { name: "Dismiss" }).click();
  await notice.waitFor({ state: "detached" });
  await page.reload();
  await notice.waitFor();
  await page.locator("#lobby-language").click();
  await page.locator("#notices p").filter({ hasText: "先前通话的录制仍保存在此" }).getByRole("button", { name: "下载" }).waitFor();
  await page.locator("#lobby-language").click();
  assert.ok(await notice.getByRole("button", { name: "Dismiss" }).isHidden(), "it is all that there is");
  await notice.getByRole("button", { name: "Delete" }).click();
  await notice.waitFor({ state: "detached" });
  await page.waitForFunction(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("recordings");
    return (await /** @type {any} */ (folder).values().next()).done;
  });
  assert.deepEqual(asked, ["beforeunload", "confirm"]);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a recording is left behind once its page is gone, also one that went later, as far as committed, and is deleted whole", async () => {
  const { page, problems } = await openPage(setup.browser, setup.server.url);
  await page.evaluate(async () => {
    Reflect.deleteProperty(window, "showSaveFilePicker");
    const path = "/recording/store.js";
    const { openStore } = await import(path);
    const recording = await openStore("call.webm", "video/webm");
    await recording.write(new Blob(["committed"]));
    await recording.commit();
    await recording.write(new Blob([", and not"]));
    Object.assign(window, { recording });
  });
  const other = await page.context().newPage();
  await other.goto(setup.server.url);
  await other.waitForFunction(async () => (await navigator.locks.query()).pending?.length === 1);
  const notice = other.locator("#notices p").filter({ hasText: "A recording of an earlier call is still here" });
  assert.equal(await notice.count(), 0, "it is still made");
  await page.close();
  const saved = other.waitForEvent("download");
  await notice.getByRole("button", { name: "Download" }).click();
  assert.equal((await saved).suggestedFilename(), "call.webm");
  assert.equal(await readFile(await (await saved).path(), "utf8"), "committed");
  await other.evaluate(async () => {
    const folder = /** @type {any} */ (await (await navigator.storage.getDirectory()).getDirectoryHandle("recordings"));
    const { value: entry } = await folder.keys().next();
    // As a browser leaves it that crashed.
    await folder.getFileHandle(`${entry}.crswap`, { create: true });
  });
  await notice.getByRole("button", { name: "Delete" }).click();
  await other.waitForFunction(async () => {
    const folder = /** @type {any} */ (await (await navigator.storage.getDirectory()).getDirectoryHandle("recordings"));
    return (await folder.keys().next()).done;
  });
  assert.deepEqual(problems, []);
  await other.context().close();
});

/** @param {Page} page */
function watchCommits(page) {
  return page.evaluate(() => {
    const { close } = FileSystemWritableFileStream.prototype;
    FileSystemWritableFileStream.prototype.close = async function () {
      await close.call(this);
      Object.assign(window, { committed: true });
    };
  });
}

/** @param {Page} page @param {boolean} [choose] */
async function record(page, choose = false) {
  await withEngine(page, async ({ room, media }, choose) => {
    if (!choose) Reflect.deleteProperty(window, "showSaveFilePicker");
    const path = "/recording/recorder.js";
    const { Recorder } = await import(path);
    const recorder = new Recorder();
    Object.assign(window, { recorder });
    recorder.on("stopped", (/** @type {unknown} */ recording) => Object.assign(window, { stopped: recording }));
    const participants = [
      { id: "me", name: "Me", stream: media.stream },
      ...[...room.mates.values()].map(({ clientId, displayName, stream }) => ({ id: clientId, name: displayName ?? "", stream })),
    ];
    const counted = () => {
      Object.assign(window, { chosenFirst: Reflect.has(window, "chosen") });
      return participants;
    };
    await recorder.start({ fileName: "call", participants: counted });
  }, choose);
}

/** @param {Page} page */
function watchChunks(page) {
  return page.evaluate(() => {
    /** @type {WeakRef<Blob>[]} */
    const chunks = [];
    Object.assign(window, { chunks });
    const Watched = class extends MediaRecorder {
      /** @param {MediaStream} stream @param {MediaRecorderOptions} options */
      constructor(stream, options) {
        super(stream, options);
        this.addEventListener("dataavailable", ({ data }) => chunks.push(new WeakRef(data)));
      }
    };
    Object.assign(window, { MediaRecorder: Watched });
  });
}

/** @param {Page} page */
async function chunksAlive(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  return page.evaluate(() => {
    /** @type {WeakRef<Blob>[]} */
    const chunks = Reflect.get(window, "chunks");
    return { seen: chunks.length, now: chunks.filter((chunk) => chunk.deref()).length };
  });
}

/** Seeks through the recording and looks whether each third's picture changes. @param {Page} page */
function play(page) {
  return page.evaluate(async () => {
    const video = Object.assign(document.createElement("video"), { src: URL.createObjectURL(Reflect.get(window, "file")), muted: true });
    await new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve);
      video.addEventListener("error", () => reject(video.error));
    });
    const canvas = new OffscreenCanvas(320, 180);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    // Three in a grid: two above, one in the middle below.
    const places = [[10, 10], [170, 10], [90, 100]];
    /** @type {Set<string>[]} */
    const seen = places.map(() => new Set());
    await video.play();
    for (let look = 0; look < 12; look++) {
      const from = video.currentTime;
      while (video.currentTime < from + 0.25) await new Promise((resolve) => setTimeout(resolve, 20));
      context?.drawImage(video, 0, 0, 320, 180);
      places.forEach(([x, y], index) => seen[index].add(String(context?.getImageData(x, y, 140, 60).data.join())));
    }
    return {
      duration: video.duration, width: video.videoWidth, height: video.videoHeight, moving: seen.map(({ size }) => size > 6),
    };
  });
}

/** The energy at each tone, by Goertzel's algorithm, in the middle of the recording. @param {Page} page */
function loudness(page) {
  return page.evaluate(async (tones) => {
    const context = new OfflineAudioContext(1, 48_000, 48_000);
    const audio = await context.decodeAudioData(await Reflect.get(window, "file").arrayBuffer());
    const samples = audio.getChannelData(0).subarray(48_000 * 8, 48_000 * 12);
    const energy = (/** @type {number} */ frequency) => {
      const factor = 2 * Math.cos((2 * Math.PI * frequency) / 48_000);
      let [one, two] = [0, 0];
      for (const sample of samples) [one, two] = [sample + factor * one - two, one];
      return (one * one + two * two - factor * one * two) / samples.length;
    };
    return { seconds: audio.duration, tones: tones.map(energy), between: (energy(800) + energy(1_500)) / 2 };
  }, TONES);
}
