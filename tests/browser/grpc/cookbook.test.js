// docs/admin.md does what it says: each of its commands is run by a shell, as it stands there.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { startServer } from "../pages/harness.js";
import { BUF, OVER_GRPC, SERVICE, answers, call, stream } from "./buf.js";
import { connect, member, turnedAway } from "./people.js";

const DOCUMENT = readFileSync(new URL("../../../docs/admin.md", import.meta.url), "utf8");
const BIN = fileURLToPath(new URL("bin", import.meta.url));
/** What is in each section's blocks. */
const SECTIONS = new Map(DOCUMENT.split("\n### ").slice(1).map((section) => [
  section.slice(0, section.indexOf("\n")), { sh: blocks(section, "sh"), json: blocks(section, "json") },
]));

/** @type {import("../pages/harness.js").Server} */
let server;
before(async () => (server = await startServer(["--trusted-proxy", "127.0.0.1"])));
after(() => server.stop());

/** @typedef {(variables?: Record<string, string>) => Promise<any>} Run */
/** @type {Record<string, (...commands: Run[]) => Promise<void>>} */
const TASKS = {
  "Find a room": async (find, next) => {
    await Promise.all(["team-red", "team-blue", "elsewhere"].map((room) => member(server, room)));
    await call(server, `${SERVICE}/LockRoom`, { roomId: "team-red", locked: true });
    assert.deepEqual(names((await find()).rooms), ["team-blue"]);
    const first = await call(server, `${SERVICE}/ListRooms`, { filter: 'room_id = "team-*"', pageSize: 1 });
    assert.deepEqual(names(first.rooms), ["team-blue"]);
    assert.deepEqual(names((await next({ PAGE_TOKEN: first.nextPageToken })).rooms), ["team-red"]);
  },
  "See who is in it": async (get) => {
    const ann = await member(server);
    const room = await get();
    assert.equal(room.members[0].clientId, ann.id);
    hasShape(room, "See who is in it");
    await gone(ann);
  },
  "Lock it": async (lock, unlock) => {
    const ann = await member(server);
    const [told, bob] = [ann.next("room-updated"), await connect(server)];
    assert.equal((await lock()).locked, true);
    await told;
    assert.equal((await bob.join("standup")).code, "room-locked");
    assert.ok(!("locked" in (await unlock())));
    assert.equal((await bob.join("standup")).type, "joined");
    await gone(ann, bob);
  },
  "Give it a password": async (set, lift) => {
    const [ann, bob] = [await member(server), await connect(server)];
    const told = ann.next("room-updated");
    const room = await set({ PASSWORD: "correct horse" });
    assert.ok(room.passwordSet && !("password" in room) && (await told).room.hasPassword);
    assert.equal((await bob.join("standup")).code, "password-required");
    assert.ok(!("passwordSet" in (await lift())));
    assert.equal((await bob.join("standup")).type, "joined");
    await gone(ann, bob);
  },
  "Have whoever is new wait until somebody lets them in": async (wait) => {
    const [ann, bob] = [await member(server), await connect(server)];
    assert.equal((await wait()).lobby, true);
    assert.equal((await bob.join("standup")).type, "waiting");
    const joined = bob.next("joined");
    await call(server, `${SERVICE}/UpdateRoom`, { room: { roomId: "standup" }, updateMask: "lobby" });
    await joined;
    await gone(ann, bob);
  },
  "Make a room ahead of its members": async (make) => {
    const REQUEST_ID = "0d6a9d6e-6c5e-4a53-9b86-0a4f3a0f1d7c";
    const made = await make({ REQUEST_ID });
    assert.deepEqual([made.roomId, made.maxMembers, made.emptyTimeout], ["all-hands", 20, "3600s"]);
    assert.deepEqual(JSON.parse(made.metadataJson), { topic: "Quarter" });
    assert.deepEqual(await make({ REQUEST_ID }), made, "once more, and nothing is made twice");
    await assert.rejects(make({ REQUEST_ID: "another" }), /already_exists/);
  },
  "Change how many it takes": async (change) => {
    const ann = await member(server);
    const { etag: ETAG } = await call(server, `${SERVICE}/GetRoom`, { roomId: "standup" });
    assert.equal((await change({ ETAG })).maxMembers, 2);
    await assert.rejects(change({ ETAG }), /aborted/);
    await gone(ann);
  },
  "End it": async (end) => {
    const ann = await member(server);
    const told = ann.next("removed");
    await end();
    const { code, reason } = await told;
    assert.deepEqual([code, reason], ["room-closed", "The meeting is over"]);
    assert.equal((await ann.closed).code, 4502);
  },
  "List the clients of a room": async (list) => {
    const [ann, bob] = [await member(server), await connect(server)];
    assert.deepEqual(ids((await list()).clients), [ann.id]);
    await gone(ann);
    bob.close();
  },
  "List the clients of an address": async (list) => {
    const [ann, bob] = [await member(server, "standup", "ann", "198.51.100.7"), await member(server, "standup", "bob", "192.0.2.7")];
    assert.deepEqual(ids((await list()).clients), [ann.id]);
    await gone(ann, bob);
  },
  "Look at one client": async (get) => {
    const ann = await member(server, "standup", "ann", "198.51.100.7");
    // Unset until a ping was answered.
    const client = { roundTrip: "", ...(await get({ CLIENT_ID: ann.id })) };
    assert.deepEqual([client.userId, client.roomId, client.address], ["ann", "standup", "198.51.100.7"]);
    hasShape(client, "Look at one client");
    await gone(ann);
  },
  "See who waits to be let in": async (list) => {
    const [ann, bob] = await oneWhoWaits();
    const answer = await list();
    assert.deepEqual(ids(answer.waiting), [bob.id]);
    hasShape(answer, "See who waits to be let in");
    await gone(ann);
    bob.close();
  },
  "Let somebody in": async (admit) => {
    const [ann, bob] = await oneWhoWaits();
    const joined = bob.next("joined");
    assert.equal((await admit({ CLIENT_ID: bob.id })).roomId, "standup");
    await joined;
    await assert.rejects(admit({ CLIENT_ID: bob.id }), /failed_precondition/);
    await gone(ann, bob);
  },
  "Let somebody wait no longer": async (deny) => {
    const [ann, bob] = await oneWhoWaits();
    const told = bob.next("join-error");
    await deny({ CLIENT_ID: bob.id });
    assert.equal((await told).code, "denied");
    await gone(ann);
    bob.close();
  },
  "Make somebody a host": async (make) => {
    const [ann, bob] = [await member(server), await member(server, "standup", "bob")];
    const told = ann.next("role-changed");
    assert.equal((await make({ CLIENT_ID: bob.id })).role, "ROLE_HOST");
    assert.equal((await told).clientId, bob.id);
    await gone(ann, bob);
  },
  "Throw somebody out of a room": async (remove) => {
    const ann = await member(server);
    const told = ann.next("removed");
    assert.equal((await remove({ CLIENT_ID: ann.id })).roomId ?? "", "");
    assert.equal((await told).reason, "Please mind the agenda");
    assert.equal((await ann.join("standup")).type, "joined");
    await gone(ann);
  },
  "Throw somebody out of the server": async (disconnect) => {
    const ann = await member(server);
    await disconnect({ CLIENT_ID: ann.id });
    assert.equal((await ann.closed).code, 4501);
    await gone(await member(server));
  },
  "Throw somebody out and keep them out": async (ban) => {
    const mallory = await member(server, "standup", "mallory", "198.51.100.66");
    const { bans } = await ban({ CLIENT_ID: mallory.id });
    assert.equal((await mallory.closed).code, 4501);
    assert.deepEqual(bans.map((/** @type {any} */ { userId, address }) => userId ?? address), ["mallory", "198.51.100.66"]);
    assert.equal(await turnedAway(server, "198.51.100.66"), 4501);
    const again = await connect(server);
    assert.equal((await again.request({ type: "register", userId: "mallory" }, "error")).code, "banned");
    for (const { banId } of bans) await call(server, `${SERVICE}/DeleteBan`, { banId });
    again.close();
  },
  "Keep somebody out of one room": async (ban) => {
    const mallory = await member(server, "standup", "mallory");
    const told = mallory.next("removed");
    assert.equal((await ban()).roomId, "standup");
    assert.equal((await told).code, "banned");
    assert.equal((await mallory.join("standup")).code, "banned");
    assert.equal((await mallory.join("retro")).type, "joined");
    await mallory.leave("retro");
    mallory.close();
  },
  "Keep a whole network out": async (ban) => {
    assert.equal((await ban()).address, "203.0.113.0/24");
    assert.equal(await turnedAway(server, "203.0.113.9"), 4501);
    await gone(await member(server, "standup", "ann", "203.0.114.9"));
  },
  "Let them in again": async (list, get, remove) => {
    const { bans } = await list();
    assert.deepEqual(bans.map((/** @type {any} */ { userId }) => userId), ["mallory"]);
    const BAN_ID = bans[0].banId;
    assert.deepEqual(await get({ BAN_ID }), bans[0]);
    assert.deepEqual(await remove({ BAN_ID }), {});
    await gone(await member(server, "standup", "mallory"));
  },
  "Announce a restart to everybody": async (say) => {
    const ann = await connect(server);
    const heard = ann.next("broadcast");
    assert.ok((await say()).reached > 0);
    assert.deepEqual((await heard).content, { text: "The server restarts at six." });
    ann.close();
  },
  "Announce it to some rooms": async (say) => {
    const [ann, bob] = [await member(server), await member(server, "standup", "bob")];
    const heard = ann.next("broadcast");
    assert.deepEqual(await say({ CLIENT_ID: bob.id }), { reached: 1, missingRoomIds: ["retro"] });
    assert.deepEqual((await heard).content, { text: "Five minutes left." });
    await gone(ann, bob);
  },
  // Streams are taken up as they would be by hand: two commands, one after the other.
  "Mirror all rooms": async () => {
    const mirror = follow("Mirror all rooms");
    const rooms = [];
    let message = await mirror.next();
    for (; message.snapshot; message = await mirror.next()) rooms.push(...names(message.snapshot.rooms));
    assert.equal(message.snapshotEnd.roomCount, rooms.length);
    assert.ok(rooms.includes("all-hands"));
    const { cursor: CURSOR } = message;

    const ann = await member(server);
    const seen = [await mirror.next(), await mirror.next()];
    assert.deepEqual(seen.map(({ event }) => "created" in event || event.joined.member.userId), [true, "ann"]);
    mirror.stop();
    const again = follow("Take it up again", { CURSOR });
    // A bookmark may say first where the stream begins.
    const first = await again.next();
    assert.deepEqual(first.event ? first : await again.next(), seen[0]);
    assert.deepEqual(await again.next(), seen[1]);
    again.stop();
    await gone(ann);
  },
  "Take it up again": async () => {
    const stale = follow("Take it up again", { CURSOR: "junk" });
    assert.match(await stale.failed, /invalid_argument/);
  },
  "Watch who comes and goes in some rooms": async () => {
    const watching = follow("Watch who comes and goes in some rooms");
    assert.ok("bookmark" in (await watching.next()), "the stream is in place");
    const [ann, bob] = [await member(server, "standup"), await member(server, "team-green", "bob")];
    await bob.leave("team-green");
    await gone(ann);
    const seen = [(await watching.next()).event, (await watching.next()).event];
    assert.equal(seen[0].joined.member.userId, "bob");
    assert.equal(seen[1].left.userId, "bob");
    watching.stop();
  },
  "Ask what it is and has": async (ask) => {
    const info = await ask();
    assert.equal(info.state, "STATE_SERVING");
    assert.ok(info.version && info.limits.maxRooms && info.counts.rooms);
  },
  "See which servers there are": async (list) => {
    const { nodes } = await list();
    assert.equal(nodes.length, 1);
    assert.ok(nodes[0].live && nodes[0].version && nodes[0].counts);
  },
  "Ask whether it takes clients": async (ask) => {
    assert.deepEqual(await ask(), { status: "SERVING" });
  },
  "Empty it before a restart": async (_, cancel) => {
    const staying = await Promise.all(Array.from({ length: 20 }, () => connect(server)));
    const draining = follow("Empty it before a restart");
    assert.equal((await draining.next()).state, "STATE_DRAINING");
    assert.equal((await call(server, "grpc.health.v1.Health/Check")).status, "NOT_SERVING");
    assert.ok((await cancel()).clientsLeft > 0);
    let told = await draining.next();
    while (told.state === "STATE_DRAINING") told = await draining.next();
    assert.equal(told.state, "STATE_CANCELLED");
    await gone(await member(server));
    for (const person of staying) person.close();

    const ann = await member(server);
    const away = ann.next("going-away");
    const ending = stream(server, `${SERVICE}/Drain`, { window: "1s" });
    await away;
    assert.equal((await ann.closed).code, 1001);
    do told = await ending.next();
    while (told.state === "STATE_DRAINING");
    assert.equal(told.state, "STATE_DRAINED");
    assert.deepEqual(await server.ended, [0, null], "the process leaves with 0");
  },
};

test("the cookbook has a command for every method that reflection lists", async () => {
  const { stdout } = await promisify(execFile)(BUF, [...OVER_GRPC, "--list-methods", `http://${server.adminAddress}`]);
  const methods = stdout.split("\n").filter((line) => line.startsWith(SERVICE));
  const used = new Set([...SECTIONS.values()].flatMap(({ sh }) => sh).map((block) => block.split(/\s+/).at(-1)));
  assert.deepEqual(methods.filter((method) => !used.has(method)), []);
  assert.deepEqual([...SECTIONS.keys()], Object.keys(TASKS), "and here is a test for every section");
});

for (const [title, task] of Object.entries(TASKS)) {
  test(title, { timeout: 60_000 }, () => task(...(SECTIONS.get(title)?.sh ?? []).map((block) => (variables = {}) => run(block, variables))));
}

/** @param {string} block @param {Record<string, string>} variables */
async function run(block, variables) {
  const { stdout } = await promisify(execFile)("sh", ["-euc", block], { env: environment(variables) });
  return JSON.parse(stdout);
}

/** Runs the first command of a section whose answers do not end. @param {string} title @param {Record<string, string>} variables */
function follow(title, variables = {}) {
  const [block] = SECTIONS.get(title)?.sh ?? [];
  const shell = spawn("sh", ["-euc", block], { env: environment(variables), detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  shell.stderr.on("data", (chunk) => (said += chunk));
  /** @type {Promise<string>} */
  const failed = new Promise((resolve) => shell.on("close", () => resolve(said)));
  return { next: answers(shell.stdout), failed, stop: () => process.kill(-Number(shell.pid)) };
}

/** @param {Record<string, string>} variables */
function environment(variables) {
  return { ...variables, BUF, ADMIN_ADDRESS: server.adminAddress, HOME: process.env.HOME, PATH: `${BIN}${delimiter}${process.env.PATH}` };
}

/** A host, and somebody who waits for its word. */
async function oneWhoWaits() {
  const ann = await member(server);
  await call(server, `${SERVICE}/UpdateRoom`, { room: { roomId: "standup", lobby: true } });
  return [ann, await member(server, "standup", "bob")];
}

/** They leave the standup, and go. @param {Awaited<ReturnType<typeof connect>>[]} people */
async function gone(...people) {
  for (const person of people) {
    await person.leave("standup");
    person.close();
  }
}

/** Whatever the document's example of an answer has, this one has too. @param {any} answer @param {string} title */
function hasShape(answer, title) {
  const example = JSON.parse(SECTIONS.get(title)?.json[0] ?? "");
  assert.deepEqual(Object.keys(example).filter((key) => !(key in answer)), []);
}

/** @param {string} text @param {string} language */
function blocks(text, language) {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, block]) => block.trim());
}

/** @param {any[]} rooms */
function names(rooms) {
  return rooms.map(({ roomId }) => roomId);
}

/** @param {any[]} clients */
function ids(clients) {
  return clients.map(({ clientId }) => clientId);
}
