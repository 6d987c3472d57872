// A gRPC client that is not ours: buf curl, which knows of the API what reflection says.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const BUF = fileURLToPath(new URL("../node_modules/.bin/buf", import.meta.url));
export const OVER_GRPC = ["curl", "--http2-prior-knowledge", "--protocol", "grpc"];
export const SERVICE = "signalpost.admin.v1.AdminService";

/** @typedef {import("../pages/harness.js").Server} Server */

/** @param {Server} server @param {string} method @param {object} [request] */
export async function call(server, method, request = {}) {
  const { stdout } = await promisify(execFile)(BUF, [
    ...OVER_GRPC, "--data", JSON.stringify(request), `http://${server.adminAddress}/${method}`,
  ]);
  return JSON.parse(stdout);
}

/**
 * Follows a stream of answers.
 * @param {Server} server @param {string} method @param {object} [request]
 */
export function stream(server, method, request = {}) {
  const url = `http://${server.adminAddress}/${method}`;
  // buf's script starts buf itself: both are in one group, which goes as a whole.
  const buf = spawn(BUF, [...OVER_GRPC, "--data", JSON.stringify(request), url], {
    detached: true, stdio: ["ignore", "pipe", "inherit"],
  });
  return { next: answers(buf.stdout), stop: () => process.kill(-Number(buf.pid)) };
}

/**
 * Reads buf's answers one by one: each is an object over several lines.
 * @param {import("node:stream").Readable} output
 */
export function answers(output) {
  let text = "";
  output.setEncoding("utf8").on("data", (chunk) => (text += chunk));
  return async () => {
    for (;;) {
      const end = /^}\n/m.exec(text);
      if (end) {
        const answer = JSON.parse(text.slice(0, end.index + 1));
        text = text.slice(end.index + 2);
        return answer;
      }
      await once(output, "data");
    }
  };
}
