// Passwords, waiting to be let in, the way back to a lost seat, and tokens.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ROOM, fakeRoom, grant, grantAs, refuse, seat } from "./fake-room.js";
import { WELCOME, settled } from "./fakes.js";

/** @typedef {ReturnType<typeof fakeRoom>} Fake */

const VISIT = { roomId: "standup", displayName: "Ann", stream: null };
const SEAT = { returnToken: "u8Q", room: { ...ROOM, hasPassword: true } };

for (const code of ["password-required", "wrong-password", "password-not-set", "passwords-off", "denied", "lobby-full",
  "waiting-timeout", "room-closed", "forbidden", "unauthenticated"]) {
  test(`a join refused with ${code} ends the visit with that code`, async () => {
    const fake = fakeRoom();
    fake.room.join(VISIT);
    await refuse(fake, code);
    assert.deepEqual(fake.events, [["ended", code]]);
    reconnect(fake);
    assert.deepEqual(fake.lastSocket().sent, []);
  });
}

test("a password is sent with the join, and with each later one of the visit, the return token beside it", () => {
  const fake = fakeRoom();
  fake.room.join({ ...VISIT, password: "correct horse" });
  assert.equal(asked(fake).password, "correct horse");
  assert.ok(!("returnToken" in asked(fake)));
  grantAs(fake, SEAT);
  reconnect(fake);
  assert.deepEqual([asked(fake).password, asked(fake).returnToken], ["correct horse", "u8Q"]);
});

test("each seat has a return token of its own, and the newest is used", () => {
  const fake = fakeRoom();
  fake.room.join(VISIT);
  grantAs(fake, SEAT);
  reconnect(fake);
  grantAs(fake, { returnToken: "v9R" });
  reconnect(fake);
  assert.equal(asked(fake).returnToken, "v9R");
});

test("a password that is lifted is forgotten, one that a host sets is used from then on", async () => {
  const fake = fakeRoom();
  fake.room.join({ ...VISIT, password: "old" });
  grantAs(fake, SEAT);
  fake.lastSocket().serverSays({ type: "room-updated", room: ROOM });
  reconnect(fake);
  assert.ok(!("password" in asked(fake)));
  grantAs(fake, { role: "host" });
  const changed = fake.room.hosting.updateRoom({ password: "new" });
  const { requestId } = fake.lastSocket().sent.at(-1);
  fake.lastSocket().serverSays({ type: "room-updated", room: { ...ROOM, hasPassword: true } });
  fake.lastSocket().serverSays({ type: "done", requestId });
  await changed;
  reconnect(fake);
  assert.equal(asked(fake).password, "new");
});

for (const [how, end] of /** @type {[string, (fake: Fake) => void][]} */ ([
  ["leaving", ({ room }) => room.leave()],
  ["a removal", ({ lastSocket }) =>
    lastSocket().serverSays({ type: "removed", code: "removed", reason: "Removed by a host", roomId: "standup" })],
  ["a ban", ({ lastSocket }) => lastSocket().serverSays({ type: "removed", code: "banned", reason: "", roomId: "standup" })],
  ["another connection's return", ({ lastSocket }) => lastSocket().serverCloses(4002)],
])) {
  test(`after ${how} there is no way back past the door, even for who asks again`, () => {
    const fake = fakeRoom();
    fake.room.join({ ...VISIT, password: "correct horse" });
    grantAs(fake, SEAT);
    end(fake);
    fake.clock.pass(20_000);
    assert.equal(fake.sockets.length, 1, "nor does it connect again by itself");
    fake.link.connect();
    if (fake.sockets.length > 1) fake.lastSocket().serverSays(WELCOME);
    fake.room.join(VISIT);
    assert.deepEqual(["password" in asked(fake), "returnToken" in asked(fake)], [false, false]);
  });
}

test("the return token of one room is not shown to another", () => {
  const fake = fakeRoom();
  fake.room.join(VISIT);
  grantAs(fake, SEAT);
  fake.room.join({ ...VISIT, roomId: "other" });
  assert.ok(!("returnToken" in asked(fake)));
});

test("a host removes: told as that, not as an administrator's deed", () => {
  const fake = fakeRoom();
  seat(fake);
  fake.lastSocket().serverSays({ type: "removed", code: "removed", reason: "Removed by a host", roomId: "standup" });
  assert.deepEqual(fake.events.at(-1), ["ended", "removed-by-host"]);
});

test("who waits hears so, then has a seat or a refusal; what is said in the room meanwhile is none of its business", async () => {
  for (const isAdmitted of [true, false]) {
    const fake = fakeRoom();
    fake.room.join(VISIT);
    const { requestId } = asked(fake);
    fake.lastSocket().serverSays({ type: "waiting", roomId: "standup", requestId });
    fake.lastSocket().serverSays({ type: "knock", clientId: "cid", userId: null, displayName: null });
    assert.deepEqual([fake.room.seated, fake.room.hosting.knocks.size], [false, 0]);
    if (isAdmitted) grant(fake);
    else await refuse(fake, "denied");
    assert.deepEqual(fake.events, [["waiting", "standup"], isAdmitted ? ["joined", "standup"] : ["ended", "denied"]]);
  }
});

test("who gives up waiting leaves, and what comes late is nothing to it; a lost link waits anew", () => {
  const fake = fakeRoom();
  fake.room.join(VISIT);
  fake.lastSocket().serverSays({ type: "waiting", roomId: "standup", requestId: asked(fake).requestId });
  reconnect(fake);
  fake.lastSocket().serverSays({ type: "waiting", roomId: "standup", requestId: asked(fake).requestId });
  assert.deepEqual(fake.events, [["waiting", "standup"], ["waiting", "standup"]]);
  fake.room.leave();
  assert.deepEqual(fake.lastSocket().sent.at(-1), { type: "leave", roomId: "standup" });
  fake.lastSocket().serverSays({ type: "waiting", roomId: "standup" });
  assert.equal(fake.events.length, 2);
});

test("guesses that are put off are told with the wait, and made by themselves; too long a wait ends the visit", async () => {
  const fake = fakeRoom();
  /** @type {any[]} */
  const waits = [];
  fake.room.on("put-off", ({ cause, retryInMs }) => waits.push([cause, retryInMs]));
  fake.room.on("ended", ({ cause }) => waits.push(cause));
  fake.room.join({ ...VISIT, password: "guess" });
  const refusal = { type: "join-error", error: "Later", code: "rate-limited", requestId: asked(fake).requestId };
  fake.lastSocket().serverSays({ ...refusal, retryAfterMs: 12_000 });
  assert.deepEqual(waits, [[{ code: "rate-limited", text: "Later", retryAfterMs: 12_000 }, 12_500]]);
  fake.clock.pass(12_500);
  assert.equal(asked(fake).password, "guess");
  fake.lastSocket().serverSays({ ...refusal, retryAfterMs: 60_000 });
  await settled();
  assert.deepEqual(waits[1], { code: "rate-limited", text: "Later", retryAfterMs: 60_000 });
});

test("a token goes with the register of every connection, with or without a visit, and only with that", () => {
  const fake = fakeRoom({ connect: false });
  fake.room.setToken("eyJ");
  fake.link.connect();
  fake.lastSocket().serverSays(WELCOME);
  assert.deepEqual(fake.lastSocket().sent.map(({ type, token }) => [type, token]), [["register", "eyJ"]]);
  fake.room.join(VISIT);
  grant(fake);
  reconnect(fake);
  assert.deepEqual(fake.lastSocket().sent.map(({ type, token, displayName }) => [type, token, displayName]),
    [["register", "eyJ", "Ann"], ["join", undefined, undefined]]);
});

test("a token is renewed on the same connection, and its end is told beforehand, in a room and outside", () => {
  const fake = fakeRoom();
  /** @type {number[]} */
  const told = [];
  fake.room.on("token-expiring", ({ expiresInMs }) => told.push(expiresInMs));
  fake.room.setToken("first");
  fake.lastSocket().serverSays({ type: "token-expiring", expiresInMs: 60_000 });
  seat(fake, "bob");
  fake.lastSocket().serverSays({ type: "token-expiring", expiresInMs: 20_000 });
  assert.deepEqual(told, [60_000, 20_000]);
  fake.room.setToken("second");
  const { type, token, displayName } = fake.lastSocket().sent.at(-1);
  assert.deepEqual([type, token, displayName], ["register", "second", "Ann"]);
  assert.equal(fake.room.seated, true);
});

test("a token that is refused is told where no visit is to begin, and ends one that is", async () => {
  const fake = fakeRoom();
  fake.room.setToken("forged");
  await refuseToken(fake);
  assert.deepEqual(fake.events, [["token-refused", "unauthenticated"]]);
  fake.room.join(VISIT);
  await refuseToken(fake);
  assert.deepEqual(fake.events.slice(1), [["ended", "unauthenticated"]]);
});

for (const [reason, code] of [
  ["unauthenticated: register with a token", "unauthenticated"], ["token-expired: come back with a new one", "token-expired"],
]) {
  test(`closed with 4503 and "${reason}", the link ends with ${code}, until people ask again`, () => {
    const fake = fakeRoom();
    seat(fake);
    fake.lastSocket().serverCloses(4503, reason);
    assert.deepEqual(fake.events.at(-1), ["ended", code]);
    fake.clock.pass(3_600_000);
    assert.equal(fake.sockets.length, 1);
  });
}

test("an expired token is shown no more; with a new one the lost seat is taken again", () => {
  const fake = fakeRoom();
  fake.room.setToken("first");
  fake.room.join(VISIT);
  grantAs(fake, SEAT);
  fake.lastSocket().serverCloses(4503, "token-expired: come back with a new one");
  fake.link.connect();
  fake.lastSocket().serverSays(WELCOME);
  assert.deepEqual(fake.lastSocket().sent, []);
  fake.room.setToken("second");
  fake.room.join(VISIT);
  assert.deepEqual(fake.lastSocket().sent.map(({ token, returnToken }) => token ?? returnToken), ["second", "second", "u8Q"]);
});

/** @param {Fake} fake */
function reconnect({ lastSocket, clock }) {
  lastSocket().serverCloses(1006);
  clock.pass(1_000);
  lastSocket().serverSays(WELCOME);
}

/** What was asked last. @param {Fake} fake */
function asked({ lastSocket }) {
  return lastSocket().sent.filter(({ type }) => type === "join").at(-1);
}

/** @param {Fake} fake */
async function refuseToken({ lastSocket }) {
  const { requestId } = lastSocket().sent.filter(({ type }) => type === "register").at(-1);
  lastSocket().serverSays({ type: "error", code: "unauthenticated", message: "The token is not accepted", requestId });
  await settled();
}
