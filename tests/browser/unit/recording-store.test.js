import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { openStore } from "../../../client/recording-store.js";
import { fakeFiles } from "./fake-files.js";
import { present } from "./fakes.js";

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
