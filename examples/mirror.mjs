// Mirrors the rooms of a Signalpost server into a JSON file: see README.md here for the file's form.
//
//     npm ci --prefix examples
//     node examples/mirror.mjs localhost:50051 rooms.json

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { credentials, loadPackageDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../proto", import.meta.url));
const DEFINITION = loadSync("signalpost/admin/v1/admin.proto", {
  includeDirs: [PROTO], keepCase: true, longs: String, defaults: true, oneofs: true,
});
const { AdminService } = loadPackageDefinition(DEFINITION).signalpost.admin.v1;

// What followed the cursor is gone (CURSOR_EXPIRED, EPOCH_CHANGED), or the server never gave it out: take a snapshot.
const RELIST = [status.OUT_OF_RANGE, status.INVALID_ARGUMENT];
// Pings find out that a server is gone which could not say so.
const OPTIONS = { "grpc.keepalive_time_ms": 20_000, "grpc.max_reconnect_backoff_ms": 5_000 };
const NOTHING = { cursor: "", rooms: new Map() };

async function main(address, path) {
  let state = existsSync(path) ? load(path) : NOTHING;
  let pause = 100;
  const admin = new AdminService(address, credentials.createInsecure(), OPTIONS);
  for (;;) {
    try {
      for await (state of follow(admin, state)) {
        save(path, state);
        pause = 100;
      }
    } catch (error) {
      // Only gRPC's codes are numbers: what else goes wrong is not for another try.
      if (!Number.isInteger(error.code)) throw error;
      if (RELIST.includes(error.code)) state = NOTHING;
    }
    await sleep(pause);
    pause = Math.min(2 * pause, 5000);
  }
}

/** Yields the rooms after each message, with the cursor that stands for them. */
async function* follow(admin, { cursor, rooms }) {
  if (!cursor) rooms = new Map();
  for await (const message of admin.WatchEvents(cursor ? { cursor } : { snapshot: true })) {
    for (const room of message.snapshot?.rooms ?? []) {
      // A room with very many members comes in several parts.
      if (!rooms.has(room.room_id)) rooms.set(room.room_id, { members: [], ...settings(room) });
      seat(rooms.get(room.room_id), ...room.members.map(({ client_id }) => client_id));
    }
    if (message.event) apply(rooms, message.event);
    // Between two parts of a snapshot there is nothing to come back to.
    if (message.cursor) yield { cursor: message.cursor, rooms };
  }
}

function apply(rooms, { what, room_id: id, ...event }) {
  const room = rooms.get(id);
  if (what === "created") rooms.set(id, { members: [], ...settings(event.created.settings) });
  else if (what === "joined") seat(room, event.joined.member.client_id);
  else if (what === "left") room.members = room.members.filter((member) => member !== event.left.client_id);
  else if (what === "locked") room.locked = true;
  else if (what === "unlocked") room.locked = false;
  else if (what === "room_updated") Object.assign(room, settings(event.room_updated.settings));
  else if (what === "closed") rooms.delete(id);
  // Of names, roles, lobbies and bans there is nothing in the file; and later servers have further events.
}

function seat(room, ...clientIds) {
  room.members = [...new Set([...room.members, ...clientIds])].sort();
}

function settings({ max_members, locked, metadata_json }) {
  return { max_members, locked, metadata_json };
}

function load(path) {
  const { cursor, rooms } = JSON.parse(readFileSync(path, "utf8"));
  return { cursor, rooms: new Map(Object.entries(rooms)) };
}

/** Rooms and cursor in one write, so that they are of the same moment whenever this process is killed. */
function save(path, { cursor, rooms }) {
  writeFileSync(`${path}.new`, JSON.stringify({ cursor, rooms: Object.fromEntries(rooms) }));
  renameSync(`${path}.new`, path);
}

await main(...process.argv.slice(2));
