// An administrator takes the seat, or ends the connection.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fakeRoom, grant, refuse, seat } from "./fake-room.js";
import { WELCOME, fakeLink, settled } from "./fakes.js";

const REMOVED = { type: "removed", code: "removed", reason: "be kind", roomId: "standup" };
const DAY_MS = 86_400_000;

for (const code of ["removed", "banned", "room-closed", "moon-phase"]) {
  test(`${code} from the seat, one is in no room but connected, and comes back only if people ask for it`, () => {
    const fake = fakeRoom();
    seat(fake, "bob");
    fake.lastSocket().serverSays({ ...REMOVED, code });
    assert.deepEqual(fake.events.slice(2), [["mate-left", "bob"], ["ended", code]]);
    assert.ok(fake.peers[0]?.closed);
    assert.equal(fake.link.state.phase, "online");
    assert.equal(joins(fake), 1);
    seat(fake, "bob");
    assert.deepEqual(fake.events.slice(4), [["joined", "standup"], ["mate-joined", "bob"]]);
    assert.equal(fake.sockets.length, 1);
  });
}

test("removed from the seat, a later loss of the link leads to no seat", () => {
  const fake = fakeRoom();
  seat(fake);
  fake.lastSocket().serverSays(REMOVED);
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  assert.deepEqual(fake.lastSocket().sent, []);
});

test("removed from a room that one is just leaving for another, one still gets there", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.room.join({ roomId: "other", displayName: "Ann", stream: null });
  fake.lastSocket().serverSays(REMOVED);
  grant(fake);
  assert.deepEqual(fake.events.slice(2), [["mate-left", "bob"], ["joined", "other"]]);
});

test("a ban that is met on connecting ends the link, and the visit that was to begin, until people ask again", async () => {
  const fake = fakeRoom({ connect: false });
  fake.link.connect();
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  fake.lastSocket().serverSays(WELCOME);
  fake.lastSocket().serverSays({ ...REMOVED, code: "banned", roomId: null });
  assert.deepEqual(fake.events, []);
  fake.lastSocket().serverCloses(4501);
  await settled();
  assert.deepEqual(fake.events, [["ended", "banned"]]);
  assert.deepEqual(fake.link.state, { phase: "ended", cause: { code: "banned", text: "be kind" } });
  fake.clock.pass(DAY_MS);
  fake.network.turn(true);
  assert.equal(fake.sockets.length, 1);

  fake.link.connect();
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  fake.lastSocket().serverSays(WELCOME);
  grant(fake);
  assert.deepEqual([fake.events.at(-1), fake.sockets.length], [["joined", "standup"], 2]);
});

test("a join that a ban refuses ends with that code, and is not tried again, after a reconnect either", async () => {
  const fake = fakeRoom();
  seat(fake);
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  await refuse(fake, "banned");
  assert.deepEqual(fake.events.slice(1), [["ended", "banned"]]);
  fake.clock.pass(60_000);
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  assert.equal(joins(fake), 2);
});

test("a register that a ban refuses ends the visit", async () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  const [{ requestId }] = fake.lastSocket().sent;
  fake.lastSocket().serverSays({ type: "error", code: "banned", message: "Banned by an administrator", requestId });
  await settled();
  assert.deepEqual(fake.events, [["ended", "banned"]]);
});

for (const [close, removed, cause] of /** @type {const} */ ([
  [4501, { code: "removed" }, { code: "removed", text: "be kind" }],
  [4501, { code: "banned" }, { code: "banned", text: "be kind" }],
  [4501, { roomId: null }, { code: "disconnected", text: "be kind" }],
  [4502, { code: "room-closed" }, { code: "room-closed", text: "be kind" }],
  [4503, {}, { code: "unauthenticated", text: "the close's own" }],
  [4510, {}, { code: "ended", text: "the close's own" }],
  [4001, {}, { code: "slow-consumer", text: "the close's own" }],
])) {
  test(`close code ${close} after ${JSON.stringify(removed)} is told as ${cause.code}`, () => {
    const { link, lastSocket } = fakeLink();
    link.connect();
    lastSocket().serverSays(WELCOME);
    lastSocket().serverSays({ ...REMOVED, ...removed });
    lastSocket().serverCloses(close, "the close's own");
    const { state } = link;
    assert.deepEqual("cause" in state && state.cause, cause);
  });
}

test("what an administrator said on an earlier link explains no later end", () => {
  const { link, clock, lastSocket } = fakeLink();
  link.connect();
  lastSocket().serverSays(WELCOME);
  lastSocket().serverSays(REMOVED);
  lastSocket().serverCloses(4001);
  clock.pass(1_000);
  lastSocket().serverSays(WELCOME);
  lastSocket().serverCloses(4501, "");
  assert.deepEqual(link.state, { phase: "ended", cause: { code: "removed", text: "" } });
});

for (const reason of ["left", "removed", "banned", "room-closed", "node-lost"]) {
  test(`a mate that left says why: ${reason}; one that is parted from does not`, () => {
    const fake = fakeRoom();
    /** @type {any[]} */
    const reasons = [];
    fake.room.on("mate-left", ({ clientId, leaveReason }) => reasons.push([clientId, leaveReason]));
    seat(fake, "bob", "cid");
    fake.lastSocket().serverSays({ type: "user-left", userId: null, clientId: "bob", reason });
    fake.room.leave();
    assert.deepEqual(reasons, [["bob", reason], ["cid", null]]);
  });
}

/** @param {ReturnType<typeof fakeRoom>} fake how often it asked for a seat */
function joins({ sockets }) {
  return sockets.flatMap(({ sent }) => sent).filter(({ type }) => type === "join").length;
}
