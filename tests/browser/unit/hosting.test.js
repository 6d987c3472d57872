// Roles, what hosts ask for, and what they hear.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LinkLost, Refused } from "../../../client/protocol/signaling.js";
import { ROOM, fakeRoom, grantAs, member } from "./fake-room.js";
import { WELCOME, present } from "./fakes.js";

/** @typedef {ReturnType<typeof fakeRoom>} Fake */

const BOB = { type: "knock", clientId: "bob", userId: "bob", displayName: "Bob" };
const CID = { ...BOB, clientId: "cid", userId: null, vouched: { team: "red" } };

for (const [what, ask, request] of /** @type {[string, (hosting: Fake["room"]["hosting"]) => Promise<void>, object][]} */ ([
  ["lock", (hosting) => hosting.updateRoom({ locked: true, maxMembers: 5 }), { type: "update-room", locked: true, maxMembers: 5 }],
  ["lift the password", (hosting) => hosting.updateRoom({ password: null }), { type: "update-room", password: null }],
  ["lobby", (hosting) => hosting.updateRoom({ lobby: true }), { type: "update-room", lobby: true }],
  ["make a host", (hosting) => hosting.setRole("bob", "host"), { type: "set-role", targetId: "bob", role: "host" }],
  ["remove", (hosting) => hosting.remove("bob"), { type: "remove", targetId: "bob" }],
  ["remove for a time", (hosting) => hosting.remove("bob", 3600), { type: "remove", targetId: "bob", seconds: 3600 }],
  ["ask to mute", (hosting) => hosting.askToMute("bob"), { type: "ask-to-mute", targetId: "bob" }],
  ["admit", (hosting) => hosting.admit("bob"), { type: "admit", targetId: "bob" }],
  ["admit all", (hosting) => hosting.admit(), { type: "admit" }],
  ["deny", (hosting) => hosting.deny("bob"), { type: "deny", targetId: "bob" }],
])) {
  test(`to ${what} is done when the server says so, refused with its code, and lost with the link`, async () => {
    const fake = hosted();
    const say = (/** @type {object} */ reply) => fake.lastSocket().serverSays({ ...reply, requestId: sent(fake).requestId });
    const done = ask(fake.room.hosting);
    const { requestId, ...message } = sent(fake);
    assert.deepEqual(message, request);
    say({ type: "done" });
    await done;
    const refused = ask(fake.room.hosting);
    say({ type: "error", code: "forbidden", message: "No" });
    await assert.rejects(refused, (error) => error instanceof Refused && error.code === "forbidden");
    const lost = ask(fake.room.hosting);
    fake.lastSocket().serverCloses(1006);
    await assert.rejects(lost, LinkLost);
  });
}

test("one's role and the mates' are those of the seat, and change when the server says so", () => {
  const fake = fakeRoom();
  /** @type {any[]} */
  const changes = [];
  fake.room.on("role-changed", ({ mate, role }) => changes.push([mate?.clientId ?? null, role]));
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  grantAs(fake, { role: "guest", peers: [{ ...member("bob"), role: "host", vouched: { team: "red" } }, member("cid")] });
  const roles = () => [fake.room.hosting.role, ...[...fake.room.mates.values()].map(({ role }) => role)];
  assert.deepEqual(roles(), ["guest", "host", "member"]);
  assert.deepEqual(present(fake.room.mates.get("bob")).vouched, { team: "red" });

  fake.lastSocket().serverSays({ type: "role-changed", clientId: "me", role: "host" });
  fake.lastSocket().serverSays({ type: "role-changed", clientId: "bob", role: "member" });
  fake.lastSocket().serverSays({ type: "role-changed", clientId: "stranger", role: "host" });
  assert.deepEqual(roles(), ["host", "member", "member"]);
  assert.deepEqual(changes, [[null, "host"], ["bob", "member"]]);

  fake.lastSocket().serverSays({ type: "user-updated", ...member("cid"), displayName: "Cid", role: "guest", vouched: 7 });
  const { displayName, role, vouched } = present(fake.room.mates.get("cid"));
  assert.deepEqual([displayName, role, vouched], ["Cid", "guest", 7]);
  fake.lastSocket().serverSays({ type: "user-updated", ...member("bob") });
  assert.deepEqual(present(fake.room.mates.get("bob")).vouched, undefined);
  assert.deepEqual(roles(), ["host", "member", "guest"]);
});

test("who knocks is kept until it ends, and told anew with each seat; who is no host any longer knows of nobody", () => {
  const fake = hosted();
  const { hosting } = fake.room;
  /** @type {any[]} */
  const told = [];
  fake.room.on("knock", ({ clientId }) => told.push(["knock", clientId]));
  fake.room.on("knock-ended", ({ knock, reason }) => told.push([reason, knock.clientId]));
  for (const message of [BOB, CID, { type: "knock-ended", clientId: "bob", reason: "admitted" }]) fake.lastSocket().serverSays(message);
  fake.lastSocket().serverSays({ type: "knock-ended", clientId: "bob", reason: "left" });
  assert.deepEqual(told, [["knock", "bob"], ["knock", "cid"], ["admitted", "bob"]]);
  assert.deepEqual([...hosting.knocks.values()], [CID]);

  fake.lastSocket().serverSays({ type: "role-changed", clientId: "me", role: "member" });
  assert.equal(hosting.knocks.size, 0);
  fake.lastSocket().serverSays({ type: "role-changed", clientId: "me", role: "host" });
  fake.lastSocket().serverSays(BOB);
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  grantAs(fake, { role: "host" });
  assert.equal(hosting.knocks.size, 0);
});

test("what the room is like is known from the first, and as it changes", () => {
  const fake = hosted();
  assert.deepEqual(fake.room.info, ROOM);
  const changed = { ...ROOM, locked: true, hasPassword: true, lobby: true };
  fake.lastSocket().serverSays({ type: "room-updated", room: changed });
  assert.deepEqual(fake.room.info, changed);
  fake.room.leave();
  assert.equal(fake.room.info, null);
});

test("a host who asks to mute is told of, and nothing is muted; a stranger is not heard", () => {
  const fake = hosted("bob");
  /** @type {string[]} */
  const asking = [];
  fake.room.on("mute-requested", ({ clientId }) => asking.push(clientId));
  for (const fromId of ["bob", "stranger"]) fake.lastSocket().serverSays({ type: "mute-requested", fromId });
  assert.deepEqual(asking, ["bob"]);
  assert.equal(fake.room.presence.muted, false);
});

/** A host's room. @param {string[]} others */
function hosted(...others) {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  grantAs(fake, { role: "host" }, ...others);
  return fake;
}

/** What was sent last. @param {Fake} fake */
function sent({ lastSocket }) {
  return lastSocket().sent.at(-1);
}
