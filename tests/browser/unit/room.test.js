import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { CAUSES } from "../../../client/page/texts/refusals.js";
import { ROOM, fakeRoom, grant, member, refuse, seat } from "./fake-room.js";
import { WELCOME, settled } from "./fakes.js";

test("joining registers the display name and asks for the room", () => {
  const { room, lastSocket } = fakeRoom();
  room.join({ roomId: "standup", displayName: "Ann", stream: null });
  const [register, join] = lastSocket().sent;
  assert.equal(register.type, "register");
  assert.equal(register.displayName, "Ann");
  assert.equal(join.type, "join");
  assert.equal(join.roomId, "standup");
});

test("without a display name none is sent, so that an earlier one is unset", () => {
  const { room, lastSocket } = fakeRoom();
  room.join({ roomId: "standup", displayName: "", stream: null });
  assert.ok(!("displayName" in lastSocket().sent[0]));
});

test("those found in `joined` are met impolitely, those who come later politely", () => {
  const fake = fakeRoom();
  seat(fake, "bob", "cid");
  fake.lastSocket().serverSays({ type: "user-joined", ...member("dan") });
  assert.deepEqual(fake.peers.map(({ options }) => options.polite), [false, false, true]);
  assert.deepEqual(fake.events, [
    ["joined", "standup"], ["mate-joined", "bob"], ["mate-joined", "cid"], ["mate-joined", "dan"],
  ]);
});

test("what comes in one go with `joined` is taken as well: who joins next, and an offer", () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  const [register, join] = fake.lastSocket().sent;
  const offer = { type: "offer", fromUserId: null, sdp: { type: "offer", sdp: "v=0" } };
  for (const message of [
    { type: "registered", userId: "me", requestId: register.requestId },
    { type: "joined", roomId: "standup", members: ["bob"], peers: [member("bob")], room: ROOM, requestId: join.requestId },
    { type: "user-joined", ...member("cid") },
    { ...offer, fromId: "bob" },
    { ...offer, fromId: "cid" },
  ]) fake.lastSocket().serverSays(message);
  assert.deepEqual(fake.peers.map(({ options: { polite }, received }) => [polite, received.length]), [[false, 1], [true, 1]]);
});

test("a signal reaches the peer that it is from; one from a stranger reaches nobody", () => {
  const fake = fakeRoom();
  seat(fake, "bob", "cid");
  const offer = { type: "offer", fromId: "cid", fromUserId: null, sdp: { type: "offer", sdp: "v=0" } };
  fake.lastSocket().serverSays(offer);
  fake.lastSocket().serverSays({ ...offer, fromId: "mallory" });
  fake.lastSocket().serverSays({ type: "candidate", fromId: "cid", candidate: null });
  assert.deepEqual(fake.peers.map(({ received }) => received.length), [0, 2]);
  assert.equal(fake.peers.length, 2);
});

test("a peer's signals go to its own client", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.peers[0]?.options.send({ type: "candidate", candidate: null });
  assert.deepEqual(fake.lastSocket().sent.at(-1), { type: "candidate", candidate: null, targetId: "bob" });
});

test("who leaves has its peer closed and its tile removed, once", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  const left = { type: "user-left", userId: null, clientId: "bob", reason: "left" };
  fake.lastSocket().serverSays(left);
  fake.lastSocket().serverSays(left);
  assert.ok(fake.peers[0]?.closed);
  assert.deepEqual(fake.events.slice(2), [["mate-left", "bob"]]);
});

test("in a large room each peer learns once how many there are, and none on the way out", () => {
  const fake = fakeRoom();
  seat(fake, "bob", "cid", "dan");
  fake.room.leave();
  assert.deepEqual(fake.peers.map(({ calls }) => calls), Array(3).fill([["count", 3]]));
});

test("a mate that is announced twice is met anew, and the first one left", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.lastSocket().serverSays({ type: "user-joined", ...member("bob") });
  assert.deepEqual(fake.peers.map(({ closed }) => closed), [true, false]);
  assert.deepEqual(fake.events.slice(2), [["mate-left", "bob"], ["mate-joined", "bob"]]);
});

test("names and locks that change are passed on, unknown message types ignored", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.lastSocket().serverSays({ type: "user-updated", clientId: "bob", userId: null, displayName: "Bob" });
  fake.lastSocket().serverSays({ type: "room-updated", room: { ...ROOM, locked: true } });
  fake.lastSocket().serverSays({ type: "from-the-future" });
  assert.deepEqual(fake.events.slice(2), [["mate-updated", "bob"], ["room-updated", true]]);
});

for (const [code, error] of /** @type {const} */ ([
  ["room-full", "Room is full"], ["room-locked", "Room is locked"], ["unavailable", "No more rooms"],
])) {
  test(`a join refused with ${code} ends with that code, and is not tried again after a reconnect`, async () => {
    const { room, events, clock, lastSocket } = fakeRoom();
    room.join({ roomId: "standup", displayName: "", stream: null });
    const [register, join] = lastSocket().sent;
    lastSocket().serverSays({ type: "registered", userId: "me", requestId: register.requestId });
    lastSocket().serverSays({ type: "join-error", error, code, requestId: join.requestId });
    await settled();
    assert.deepEqual(events, [["ended", code]]);
    lastSocket().serverCloses(1006);
    clock.pass(1_000);
    lastSocket().serverSays(WELCOME);
    assert.deepEqual(lastSocket().sent, []);
  });
}

test("a join asked for without a link is made at the next welcome", () => {
  const { room, link, lastSocket } = fakeRoom({ connect: false });
  room.join({ roomId: "standup", displayName: "", stream: null });
  link.connect();
  assert.deepEqual(lastSocket().sent, []);
  lastSocket().serverSays(WELCOME);
  assert.deepEqual(lastSocket().sent.map(({ type }) => type), ["register", "join"]);
});

test("a lost link keeps the peers, since media may still flow, and a new one meets all of them anew", () => {
  const fake = fakeRoom();
  seat(fake, "bob", "cid");
  fake.lastSocket().serverCloses(1006);
  assert.deepEqual(fake.peers.map(({ closed }) => closed), [false, false]);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays({ ...WELCOME, clientId: "me again" });
  grant(fake, "bob");
  assert.deepEqual(fake.peers.map(({ closed }) => closed), [true, true, false]);
  assert.deepEqual(fake.events.slice(3), [
    ["mate-left", "bob"], ["mate-left", "cid"], ["joined", "standup"], ["mate-joined", "bob"],
  ]);
});

test("one's own ghost, of a link whose end the server has not noticed, is no mate, nor heard, nor counted", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays({ ...WELCOME, clientId: "me again" });
  grant(fake, "me", "bob");
  fake.lastSocket().serverSays({ type: "user-joined", ...member("me") });
  fake.lastSocket().serverSays({ type: "message", fromId: "me", fromUserId: null, content: { text: "boo" } });
  fake.lastSocket().serverSays({ type: "user-left", userId: null, clientId: "me", reason: "timeout" });
  assert.deepEqual([...fake.room.mates.keys()], ["bob"]);
  assert.deepEqual(fake.room.chat, []);
  assert.deepEqual(fake.peers.at(-1)?.calls.at(-1), ["count", 1]);
  assert.deepEqual(fake.events.slice(2), [["mate-left", "bob"], ["joined", "standup"], ["mate-joined", "bob"]]);
});

test("it is seated only when who is there has been met, and no longer when all are parted from", () => {
  const fake = fakeRoom();
  /** @type {any[]} */
  const seen = [];
  for (const name of /** @type {const} */ (["mate-joined", "mate-left"])) {
    fake.room.on(name, ({ clientId }) => seen.push([clientId, fake.room.seated]));
  }
  seat(fake, "bob");
  fake.lastSocket().serverSays({ type: "user-joined", ...member("cid") });
  fake.lastSocket().serverSays({ type: "user-left", userId: null, clientId: "cid", reason: "left" });
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  grant(fake, "bob");
  fake.room.leave();
  assert.deepEqual(seen, [
    ["bob", false], ["cid", true], ["cid", true], ["bob", false], ["bob", false], ["bob", false],
  ]);
});

test("a link lost while joining joins again on the next one", async () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "", stream: null });
  fake.lastSocket().serverCloses(1006);
  await settled();
  assert.deepEqual(fake.events, []);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  grant(fake);
  assert.deepEqual(fake.events, [["joined", "standup"]]);
});

test("a rejoin that is refused closes the peers and says why", async () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  const [, join] = fake.lastSocket().sent;
  fake.lastSocket().serverSays({ type: "join-error", error: "Room is locked", code: "room-locked", requestId: join.requestId });
  await settled();
  assert.ok(fake.peers[0]?.closed);
  assert.deepEqual(fake.events.slice(2), [["mate-left", "bob"], ["ended", "room-locked"]]);
});

for (const code of ["room-full", "unavailable"]) {
  test(`a rejoin refused with ${code} is tried again for a minute: one's own ghost may hold the seat`, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const fake = fakeRoom();
    seat(fake, "bob");
    fake.lastSocket().serverCloses(1006);
    fake.clock.pass(1_000);
    fake.lastSocket().serverSays(WELCOME);
    for (const delayMs of [1_000, 2_000, 4_000, 8_000]) {
      await refuse(fake, code);
      const asked = fake.lastSocket().sent.length;
      mock.timers.tick(delayMs - 1);
      assert.equal(fake.lastSocket().sent.length, asked);
      mock.timers.tick(1);
      assert.equal(fake.lastSocket().sent.length, asked + 2);
    }
    assert.equal(fake.peers[0]?.closed, false, "media may still flow");
    grant(fake, "bob");
    assert.deepEqual(fake.events.slice(2), [
      ...Array(4).fill(["refused", code]), ["mate-left", "bob"], ["joined", "standup"], ["mate-joined", "bob"],
    ]);
  });
}

test("a room that stays full ends the visit after a minute, and leaving ends the attempts", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  for (const leaves of [false, true]) {
    const fake = fakeRoom();
    seat(fake);
    fake.lastSocket().serverCloses(1006);
    fake.clock.pass(1_000);
    fake.lastSocket().serverSays(WELCOME);
    await refuse(fake, "room-full");
    if (leaves) {
      fake.room.leave();
      const said = fake.lastSocket().sent.length;
      mock.timers.tick(60_000);
      assert.equal(fake.lastSocket().sent.length, said);
      continue;
    }
    let attempts = 1;
    for (; fake.events.at(-1)[0] === "refused"; attempts++) {
      mock.timers.tick(15_000);
      await refuse(fake, "room-full");
    }
    assert.deepEqual(fake.events.at(-1), ["ended", "room-full"]);
    assert.equal(attempts, 8);
  }
});

test("a move that is refused, or given up before its answer, leaves no seat behind", async () => {
  for (const isRefused of [true, false]) {
    const fake = fakeRoom();
    seat(fake, "bob");
    fake.room.join({ roomId: "full", displayName: "Ann", stream: null });
    const { requestId } = fake.lastSocket().sent.at(-1);
    if (!isRefused) fake.room.leave();
    fake.lastSocket().serverSays({ type: "join-error", error: "Room is full", code: "room-full", requestId });
    await settled();
    const left = fake.lastSocket().sent.filter(({ type }) => type === "leave").map(({ roomId }) => roomId);
    assert.deepEqual(left, ["standup", "full"]);
    assert.ok(fake.peers[0]?.closed);
  }
});

test("a link that ended for good ends the visit with its cause", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.lastSocket().serverCloses(4501, "Removed by an administrator");
  assert.ok(fake.peers[0]?.closed);
  assert.deepEqual(fake.events.slice(2), [["mate-left", "bob"], ["ended", "removed"]]);
});

test("after leaving, the room's last words are ignored and no reconnect leads back", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.room.leave();
  assert.deepEqual(fake.lastSocket().sent.at(-1), { type: "leave", roomId: "standup" });
  fake.lastSocket().serverSays({ type: "user-joined", ...member("cid") });
  fake.lastSocket().serverSays({ type: "left", roomId: "standup" });
  assert.equal(fake.peers.length, 1);
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  assert.deepEqual(fake.lastSocket().sent, []);
});

test("a closed room has left, and hears of its link no more", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.room.close();
  assert.deepEqual(fake.lastSocket().sent.at(-1), { type: "leave", roomId: "standup" });
  assert.ok(fake.peers[0]?.closed);
  fake.room.join({ roomId: "standup", displayName: "", stream: null });
  const { length } = fake.lastSocket().sent;
  fake.lastSocket().serverSays(WELCOME);
  assert.equal(fake.lastSocket().sent.length, length);
});

test("left before `joined` came: the late reply seats nobody", async () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "", stream: null });
  const asked = fake.lastSocket().sent.slice();
  fake.room.leave();
  assert.equal(fake.lastSocket().sent.at(-1).type, "leave");
  fake.lastSocket().serverSays({ type: "registered", userId: "me", requestId: asked[0].requestId });
  fake.lastSocket().serverSays({
    type: "joined", roomId: "standup", members: ["bob"], peers: [member("bob")], room: ROOM, requestId: asked[1].requestId,
  });
  await settled();
  assert.deepEqual(fake.events, []);
});

test("who leaves on hearing that one has joined meets nobody", () => {
  const fake = fakeRoom();
  fake.room.on("joined", () => fake.room.leave());
  seat(fake, "bob");
  assert.equal(fake.peers.length, 0);
  assert.equal(fake.room.seated, false);
});

for (const isThere of [true, false]) {
  test(`where no connection can be made, ${isThere ? "a mate who is there" : "the first mate who comes"} ends the visit, with words`, () => {
    const fake = fakeRoom({ unsupported: true });
    seat(fake, ...(isThere ? ["bob"] : []));
    if (!isThere) fake.lastSocket().serverSays({ type: "user-joined", ...member("bob") });
    assert.deepEqual(fake.events, [["joined", "standup"], ["ended", "unsupported"]]);
    assert.ok("cause.unsupported" in CAUSES);
    assert.deepEqual(fake.lastSocket().sent.at(-1), { type: "leave", roomId: "standup" });
    assert.equal(fake.room.seated, false);
  });
}

for (const [what, move] of /** @type {const} */ ([
  ["leaves", (/** @type {import("../../../client/protocol/room.js").Room} */ room) => room.leave()],
  ["goes elsewhere", (/** @type {import("../../../client/protocol/room.js").Room} */ room) => room.join({ roomId: "other", displayName: "", stream: null })],
])) {
  test(`who ${what} on hearing of the first mate meets no more of them, and has no seat`, () => {
    const fake = fakeRoom();
    fake.room.on("mate-joined", () => move(fake.room));
    seat(fake, "bob", "cid");
    assert.equal(fake.peers.length, 1);
    assert.equal(fake.room.seated, false);
    assert.deepEqual(fake.lastSocket().sent.filter(({ type }) => type === "message"), []);
  });
}

test("left before the refusal came: nobody is told of it any more", async () => {
  const { room, events, lastSocket } = fakeRoom();
  room.join({ roomId: "standup", displayName: "", stream: null });
  const [, join] = lastSocket().sent;
  room.leave();
  lastSocket().serverSays({ type: "join-error", error: "Room is full", code: "room-full", requestId: join.requestId });
  await settled();
  assert.deepEqual(events, []);
});

test("a link that ended for good while nobody was in a room ends no visit", () => {
  const { events, lastSocket } = fakeRoom();
  lastSocket().serverCloses(4503, "Not authorised");
  assert.deepEqual(events, []);
});

test("another name is registered at once and again after a reconnect", () => {
  const fake = fakeRoom();
  seat(fake);
  fake.room.rename("Anna");
  assert.equal(fake.lastSocket().sent.at(-1).displayName, "Anna");
  fake.lastSocket().serverCloses(1006);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays(WELCOME);
  assert.equal(fake.lastSocket().sent[0].displayName, "Anna");
});
