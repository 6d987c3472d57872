// The admin API from a gRPC client that is not ours: buf curl, by reflection alone.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { startServer } from "../pages/harness.js";
import { BUF, OVER_GRPC, SERVICE, call as callOf, stream } from "./buf.js";
import { connect } from "./people.js";

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
  const watching = stream(server, `${SERVICE}/WatchEvents`, { roomIds: ["standup"] });
  assert.ok("bookmark" in (await watching.next()), "the stream is in place");
  const ann = await connect(server);
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
  const bob = await connect(server);
  const refused = await bob.join("standup");
  assert.deepEqual(refused, { type: "join-error", error: "Room is locked", code: "room-locked" });

  const heard = ann.next("broadcast");
  const sent = await call(`${SERVICE}/Broadcast`, { roomId: "standup", contentJson: "[1.50]" });
  assert.deepEqual(sent, { reached: 1 });
  assert.deepEqual((await heard).content, [1.5]);
  const toAll = ann.next("broadcast");
  assert.deepEqual(await call(`${SERVICE}/Broadcast`, { everyone: true, content: { deep: [null, true, 42] } }), { reached: 2 });
  assert.deepEqual((await toAll).content, { deep: [null, true, 42] });

  await ann.leave("standup");
  let position = 0;
  for (const what of ["created", "joined", "locked", "left", "closed"]) {
    let { event } = await watching.next();
    // Bookmarks come in quiet moments.
    while (!event) ({ event } = await watching.next());
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
function call(method, request) {
  return callOf(server, method, request);
}
