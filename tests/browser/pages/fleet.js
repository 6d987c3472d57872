// Three nodes that share their rooms through a Redis of their own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { startServer } from "./harness.js";
import { freePort } from "./nginx.js";

/** @typedef {import("./harness.js").Server} Server */

export async function startFleet() {
  const redis = await startRedis();
  const args = ["--redis-url", redis.url, "--node-lease-seconds", "2", "--trusted-proxy", "127.0.0.1"];
  const nodes = await Promise.all([0, 1, 2].map(() => startServer(args)));
  return {
    nodes,
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
      await redis.stop();
    },
  };
}

/** How many browsers are at this node. @param {Server} node */
export async function connections(node) {
  const exposition = await (await fetch(`http://${node.adminAddress}/metrics`)).text();
  return Number(/^signalpost_connections (\d+)$/m.exec(exposition)?.[1]);
}

async function startRedis() {
  const port = await freePort();
  const redis = spawn("redis-server", ["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const kill = () => redis.kill("SIGKILL");
  process.once("exit", kill);
  const ended = once(redis, "exit").finally(() => process.off("exit", kill));
  await Promise.race([isReady(redis.stdout), ended.then(() => Promise.reject(new Error("redis-server did not start")))]);
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      redis.kill();
      await ended;
    },
  };
}

/** @param {import("node:stream").Readable} output */
async function isReady(output) {
  for await (const line of createInterface({ input: output })) {
    if (line.includes("Ready to accept connections")) break;
  }
  // Unread, a full pipe would stop it.
  output.resume();
}
