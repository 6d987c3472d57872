import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const TESTS = new URL("../", import.meta.url);

for (const [what, binary, words] of /** @type {const} */ ([
  ["no server is named", undefined, /SIGNALPOST_BIN is not set: set it to/],
  ["the server that is named is not there", "/nowhere/signalpost", /\/nowhere\/signalpost, of SIGNALPOST_BIN, is not there: set it to/],
])) {
  for (const file of ["pages/page.test.js", "grpc/admin.test.js"]) {
    test(`where ${what}, ${file} fails at once and says what to set`, () => {
      const { SIGNALPOST_BIN: _, NODE_TEST_CONTEXT: __, ...inherited } = process.env;
      const env = { ...inherited, ...(binary && { SIGNALPOST_BIN: binary }) };
      const run = spawnSync(process.execPath, [fileURLToPath(new URL(file, TESTS))], { env, encoding: "utf8", timeout: 20_000 });
      assert.equal(run.status, 1, run.stdout);
      assert.match(run.stderr, words);
    });
  }
}
