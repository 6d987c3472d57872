// A real coturn, which shares a secret with the server.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { freePort } from "./nginx.js";

const COTURN = process.env.COTURN ?? "/usr/bin/turnserver";
const RELAYS = 200;

export async function startCoturn() {
  const folder = await mkdtemp(join(tmpdir(), "coturn-"));
  const port = await freePort();
  const secret = randomBytes(32).toString("hex");
  const secretFile = join(folder, "secret");
  const settings = join(folder, "turnserver.conf");
  // Below the ports that the system hands out.
  const firstRelay = randomInt(20_000, 32_000 - RELAYS);
  await writeFile(secretFile, secret, { mode: 0o600 });
  await writeFile(settings, `
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port=${port}
min-port=${firstRelay}
max-port=${firstRelay + RELAYS - 1}
use-auth-secret
static-auth-secret=${secret}
realm=turn.test
allow-loopback-peers
no-tls
no-dtls
no-cli
verbose
simple-log
log-file=stdout
pidfile=${folder}/pid
userdb=${folder}/db
`, { mode: 0o600 });
  const coturn = spawn(COTURN, ["-c", settings], { stdio: ["ignore", "pipe", "ignore"] });
  const kill = () => coturn.kill("SIGKILL");
  process.once("exit", kill);
  const ended = once(coturn, "exit").finally(() => process.off("exit", kill));
  const log = createInterface({ input: coturn.stdout });
  /** @type {Set<string>} */
  const relayedFor = new Set();
  log.on("line", (line) => {
    const [, username] = /user <([^>]+)>: incoming packet ALLOCATE processed, success/.exec(line) ?? [];
    if (username) relayedFor.add(username);
  });
  const listens = new Promise((resolve) => log.on("line", (line) => line.includes("Total General servers") && resolve(null)));
  await Promise.race([listens, ended.then(() => assert.fail("coturn did not start"))]);
  return {
    url: `turn:127.0.0.1:${port}`,
    secretFile,
    /** The usernames to which it has given a relay. */
    relayedFor,
    stop: async () => {
      coturn.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

/**
 * Credentials by the command.
 * @param {string} secretFile
 * @param {{ ttl?: number }} [options] in seconds
 * @returns {Promise<{ username: string, credential: string }>}
 */
export async function makeCredentials(secretFile, { ttl = 60 } = {}) {
  const words = ["gen-token", "turn", "--turn-secret-file", secretFile, "--ttl", String(ttl)];
  const { stdout } = await promisify(execFile)(process.env.SIGNALPOST_BIN ?? "", words);
  const [username = "", credential = ""] = stdout.split("\n");
  return { username, credential };
}
