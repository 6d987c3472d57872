import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { findLeftBehind, openStore } from "../../../client/recording/store.js";
import { fakeFiles } from "./fake-files.js";
import { present, settled } from "./fakes.js";

/** @type {ReturnType<typeof fakeFiles>} */
let files;

beforeEach(() => {
  files = fakeFiles();
});

test("what is committed is in the file while more is written, and stays when the disk is full", async () => {
  const store = await open();
  await store.write(bytes("one "));
  assert.equal(await text(await store.file()), "");
  await store.commit();
  assert.equal(await text(await store.file()), "one ");
  await store.write(bytes("two "));
  await store.write(bytes("O"), 0);
  assert.equal(store.size, 8);
  await store.commit();
  await store.write(bytes("three"));
  assert.equal(await text(await store.file()), "One two ");

  files.disk.full = true;
  await assert.rejects(store.write(bytes("four")));
  await assert.rejects(store.commit());
  assert.equal(await text(await store.file()), "One two ");
});

test("two recordings of the same name are two files; each stays until it is discarded", async () => {
  const stores = [await open(), await open()];
  for (const [index, store] of stores.entries()) {
    await store.write(bytes(`number ${index}`));
    await store.commit();
  }
  assert.deepEqual(await Promise.all(stores.map(async (store) => text(await store.file()))), ["number 0", "number 1"]);
  await stores[0].discard();
  assert.deepEqual(files.recordings().map(({ name }) => name.slice(37)), ["call.webm"]);
});

test("what a page left behind is found by the next one for a day, without what was never committed", async () => {
  const [store, empty] = [await open(), await open()];
  await store.write(bytes("committed"));
  await store.commit();
  await store.write(bytes("lost"));
  await empty.write(bytes("lost"));
  const found = await leftBehind();
  const names = () => found.map(({ fileName }) => fileName);
  assert.deepEqual(names(), [], "another tab still records");

  files.leavePage();
  await settled();
  assert.deepEqual(names(), ["call.webm"]);
  assert.equal(await (await found[0].open()).text(), "committed");
  assert.equal(files.recordings().length, 1, "the empty one is gone");

  files.leavePage();
  files.recordings()[0].changedAt -= 25 * 60 * 60 * 1_000;
  assert.deepEqual(await leftBehind(), []);
  assert.equal(files.recordings().length, 0);
});

test("one that cannot be read, or claimed, keeps nobody from the others that were left behind", async () => {
  for (let made = 0; made < 3; made++) {
    const store = await open();
    await store.write(bytes(`number ${made}`));
    await store.commit();
  }
  files.leavePage();
  const [unread, unclaimed] = files.recordings();
  unread.getFile = () => Promise.reject(new DOMException("not found", "NotFoundError"));
  const locks = /** @type {any} */ (navigator.locks);
  const { request } = locks;
  locks.request = async (/** @type {string} */ name, /** @type {unknown[]} */ ...rest) => {
    if (name.endsWith(unclaimed.name)) throw new DOMException("no", "InvalidStateError");
    return request(name, ...rest);
  };
  const left = await leftBehind();
  assert.deepEqual(await Promise.all(left.map(async (found) => (await found.open()).text())), ["number 2"]);
});

/** What is found by now; more is added later. */
async function leftBehind() {
  /** @type {import("../../../client/recording/store.js").KeptRecording[]} */
  const found = [];
  await findLeftBehind((recording) => found.push(recording));
  await settled();
  return found;
}

async function open() {
  return present(await openStore("call.webm", "video/webm"));
}

/** @param {string} text */
function bytes(text) {
  return Uint8Array.from(new TextEncoder().encode(text));
}

/** @param {File | null} file */
function text(file) {
  return present(file).text();
}
