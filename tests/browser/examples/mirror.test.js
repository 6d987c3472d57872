// Each of the examples mirrors the rooms of a server, though it is killed now and then, and the server too.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual, promisify } from "node:util";

import { startServer } from "../pages/harness.js";
import { crowd, rosters } from "./crowd.js";

/** @typedef {import("../pages/harness.js").Server} Server */

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const VENV = join(ROOT, "examples/.venv/bin");
const STUBS = mkdtempSync(join(tmpdir(), "stubs-"));
const PATIENCE_MS = 60_000;
/** @type {[name: string, file: string, command: string[]][]} */
const MIRRORS = [
  ["Python", "mirror.py", ["python", "examples/mirror.py"]],
  ["Node.js", "mirror.mjs", ["node", "examples/mirror.mjs"]],
  // `cargo test` has built it.
  ["Rust", "mirror.rs", [join(dirname(String(process.env.SIGNALPOST_BIN)), "examples/mirror")]],
];

const env = { ...process.env, PATH: `${VENV}${delimiter}${process.env.PATH}`, PYTHONPATH: STUBS };

before(async () => {
  // As the example itself tells its readers.
  const [command] = /python -m grpc_tools\.protoc .*/.exec(readFileSync(join(ROOT, "examples/mirror.py"), "utf8")) ?? [];
  assert.ok(command);
  await promisify(execFile)("sh", ["-c", command.replaceAll("stubs", STUBS)], { cwd: ROOT, env });
});
after(() => rmSync(STUBS, { recursive: true }));

for (const [name, file, command] of MIRRORS) {
  test(`${name}: the file ends equal to the server's rosters`, { timeout: 5 * PATIENCE_MS }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "mirror-"));
    const path = join(folder, "rooms.json");
    let server = await startServer(["--rate-limit", "0"]);
    const follow = () => mirror(command, name === "Rust" ? `http://${server.adminAddress}` : server.adminAddress, path);

    // A snapshot, and what happens while it is taken and after it.
    let people = crowd(server);
    await people.churn(5);
    let follower = follow();
    await people.churn(20);
    await agree(server, path);

    // Killed at any moment, it goes on from its cursor; and from what is in the file alone.
    const churning = people.churn(100);
    for (let kills = 0; kills < 3; kills += 1) {
      await changed(folder);
      await follower.kill();
      follower = follow();
    }
    await churning;
    await follower.kill();
    await people.churn(5);
    follower = follow();
    await agree(server, path);

    // A server that is started anew knows nothing of its earlier life; one that says goodbye, and one that cannot.
    for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGTERM", "SIGKILL"])) {
      await server.stop(signal);
      server = await startServer(["--rate-limit", "0"], server.address, server.adminAddress);
      people = crowd(server, signal.length + 1);
      await people.churn(20);
      await agree(server, path);
      await people.churn(5);
      await agree(server, path);
    }

    // And while both are down.
    await follower.kill();
    await server.stop();
    server = await startServer(["--rate-limit", "0"], server.address, server.adminAddress);
    await crowd(server, 5).churn(5);
    follower = follow();
    await agree(server, path);

    await follower.kill();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  test(`${name}: it takes less than 100 lines`, () => {
    assert.ok(readFileSync(join(ROOT, "examples", file), "utf8").split("\n").length <= 100);
  });
}

/** @param {string[]} command @param {string} address @param {string} path */
function mirror([program, ...args], address, path) {
  const child = spawn(program, [...args, address, path], { cwd: ROOT, env });
  const stop = () => child.kill("SIGKILL");
  process.once("exit", stop);
  let said = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk) => (said += chunk));
  const ended = once(child, "close").finally(() => process.off("exit", stop));
  return {
    kill: async () => {
      assert.equal(child.exitCode, null, `it went by itself: ${said}`);
      stop();
      await ended;
      assert.equal(said, "", "it says nothing");
    },
  };
}

/** Waits until the file holds what the server says of its rooms. @param {Server} server @param {string} path */
async function agree(server, path) {
  for (;;) {
    const change = changed(dirname(path));
    const [actual, expected] = [existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).rooms : {}, await rosters(server)];
    if (isDeepStrictEqual(actual, expected)) {
      change.catch(() => {});
      return;
    }
    await change.catch(() => assert.deepEqual(actual, expected));
  }
}

/** Something in the folder is written anew. @param {string} folder */
async function changed(folder) {
  const watcher = watch(folder, { persistent: false });
  try {
    await once(watcher, "change", { signal: AbortSignal.timeout(PATIENCE_MS) });
  } finally {
    watcher.close();
  }
}
