// The admin API from a gRPC client that is not ours: buf curl, by reflection alone.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { startServer } from "../pages/harness.js";

const BUF = fileURLToPath(new URL("../node_modules/.bin/buf", import.meta.url));
const OVER_GRPC = ["curl", "--http2-prior-knowledge", "--protocol", "grpc"];
const SERVICE = "signalpost.admin.v1.AdminService";

/** @type {import("../pages/harness.js").Server} */
let server;
before(async () => (server = await startServer()));
after(() => server.stop());

test("reflection lists the services, in both its versions", async () => {
  for (const version of ["grpc-v1", "grpc-v1alpha"]) {
    const { stdout } = await promisify(execFile)(BUF, [
      ...OVER_GRPC, "--reflect-protocol", version, "--list-methods", `http://${server.adminAddress}`,
    ]);
    for (const method of ["ListRooms", "GetRoom", "LockRoom", "Broadcast", "WatchEvents"]) {
      assert.ok(stdout.includes(`${SERVICE}/${method}`), `${version}: ${stdout}`);
    }
    assert.ok(stdout.includes("grpc.health.v1.Health/Check"));
  }
});

test("health says SERVING, for the server and for the API", async () => {
  for (const service of ["", SERVICE]) {
    assert.deepEqual(await call("grpc.health.v1.Health/Check", { service }), { status: "SERVING" });
  }
});

test("a room is listed, shown, locked and spoken to, and its events are seen in order", async () => {
  const watching = await watch({ roomIds: ["standup"] });
  const ann = await connect();
  await ann.request({ type: "register", userId: "ann" }, "registered");
  await ann.request({ type: "join", roomId: "standup", metadata: { b: 1, a: 2 } }, "joined");

  const { rooms } = await call(`${SERVICE}/ListRooms`, { pageSize: 10 });
  assert.equal(rooms.length, 1);
  assert.equal(rooms[0].roomId, "standup");
  const room = await call(`${SERVICE}/GetRoom`, { roomId: "standup" });
  assert.equal(room.members.length, 1);
  assert.equal(room.members[0].clientId, ann.id);
  assert.equal(room.members[0].metadataJson, '{"b":1,"a":2}');

  assert.equal((await call(`${SERVICE}/LockRoom`, { roomId: "standup", locked: true })).locked, true);
  const bob = await connect();
  const refused = await bob.request({ type: "join", roomId: "standup" }, "join-error");
  assert.deepEqual(refused, { type: "join-error", error: "Room is locked", code: "room-locked" });

  const heard = ann.next("broadcast");
  const sent = await call(`${SERVICE}/Broadcast`, { roomId: "standup", contentJson: "[1.50]" });
  assert.deepEqual(sent, { reached: 1 });
  assert.deepEqual((await heard).content, [1.5]);
  const toAll = ann.next("broadcast");
  assert.deepEqual(await call(`${SERVICE}/Broadcast`, { everyone: true, content: { deep: [null, true, 42] } }), { reached: 2 });
  assert.deepEqual((await toAll).content, { deep: [null, true, 42] });

  await ann.request({ type: "leave", roomId: "standup" }, "left");
  let position = 0;
  for (const what of ["created", "joined", "locked", "left", "closed"]) {
    const event = await watching.next();
    assert.ok(what in event, `${what} in ${JSON.stringify(event)}`);
    assert.equal(event.roomId, "standup");
    assert.ok(Number(event.position) > position, "positions rise");
    position = Number(event.position);
  }
  watching.stop();
});

test("what is wrong is said by code", async () => {
  for (const [method, request, code] of /** @type {[string, object, string][]} */ ([
    ["GetRoom", { roomId: "nowhere" }, "not_found"],
    ["LockRoom", { roomId: "nowhere", locked: true }, "not_found"],
    ["ListRooms", { pageSize: -1 }, "invalid_argument"],
    ["ListRooms", { pageToken: "junk" }, "invalid_argument"],
    ["Broadcast", { everyone: true }, "invalid_argument"],
    ["Broadcast", { content: 1 }, "invalid_argument"],
  ])) {
    await assert.rejects(call(`${SERVICE}/${method}`, request), (/** @type {any} */ error) => {
      assert.equal(JSON.parse(error.stderr).code, code, method);
      return true;
    });
  }
});

/** @param {string} method @param {object} request */
async function call(method, request) {
  const { stdout } = await promisify(execFile)(BUF, [
    ...OVER_GRPC, "--data", JSON.stringify(request), `http://${server.adminAddress}/${method}`,
  ]);
  return JSON.parse(stdout);
}

/**
 * Follows events; resolved once the server has answered that it shows them.
 * @param {object} request
 */
async function watch(request) {
  const url = `http://${server.adminAddress}/${SERVICE}/WatchEvents`;
  const buf = spawn(BUF, [...OVER_GRPC, "--verbose", "--data", JSON.stringify(request), url]);
  for await (const line of createInterface({ input: buf.stderr })) {
    if (line.includes("HTTP/2.0 200") && line.includes("(#2)")) break;
  }
  buf.stderr.resume();
  let text = "";
  buf.stdout.on("data", (chunk) => (text += chunk));
  return {
    async next() {
      for (;;) {
        // buf prints each message as an object over several lines. Bookmarks are passed over.
        const end = text.indexOf("\n}\n");
        if (end < 0) {
          await once(buf.stdout, "data");
          continue;
        }
        const { event } = JSON.parse(text.slice(0, end + 2));
        text = text.slice(end + 3);
        if (event) return event;
      }
    },
    stop: () => buf.kill(),
  };
}

async function connect() {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws`);
  /** @type {any[]} */
  const unread = [];
  const arrived = new EventTarget();
  socket.onmessage = ({ data }) => {
    unread.push(JSON.parse(data));
    arrived.dispatchEvent(new Event("message"));
  };
  /** @param {string} type */
  const next = async (type) => {
    for (;;) {
      while (unread.length > 0) {
        const message = unread.shift();
        if (message.type === type) return message;
      }
      await new Promise((resolve) => arrived.addEventListener("message", resolve, { once: true }));
    }
  };
  const { clientId: id } = await next("welcome");
  return {
    id,
    next,
    /** @param {object} message @param {string} reply */
    request: (message, reply) => {
      socket.send(JSON.stringify(message));
      return next(reply);
    },
  };
}
