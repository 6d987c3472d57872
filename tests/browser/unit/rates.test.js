// What the client does where the server says "not so fast".

import assert from "node:assert/strict";
import { test } from "node:test";

import { CAUSES } from "../../../client/page/texts/refusals.js";
import { LinkLost, Refused } from "../../../client/protocol/signaling.js";
import { fakeRoom, grant, member, seat } from "./fake-room.js";
import { WELCOME, fakeLink, present, settled } from "./fakes.js";

const TOO_OFTEN = { code: "rate-limited", retryAfterMs: 2_000 };

/** @param {Parameters<typeof fakeLink>[0]} [options] */
function connected(options) {
  const fake = fakeLink(options);
  fake.link.connect();
  fake.lastSocket().serverSays(WELCOME);
  return fake;
}

/** Refuses what was asked last, or some time before. @param {ReturnType<typeof fakeLink>} fake @param {number} [nth] from the end */
function putOff({ lastSocket }, nth = -1) {
  const { type, requestId } = lastSocket().sent.at(nth);
  const words = type === "join" ? { type: "join-error", error: "Too often" } : { type: "error", message: "Too often" };
  lastSocket().serverSays({ ...words, ...TOO_OFTEN, requestId });
}

/** @param {ReturnType<typeof fakeLink>} fake */
const asked = ({ lastSocket }) => lastSocket().sent.filter(({ type }) => type === "join" || type === "register").length;

for (const request of /** @type {const} */ ([{ type: "register" }, { type: "join", roomId: "standup" }])) {
  test(`a ${request.type} that is put off is asked again after retryAfterMs and a random while, and then answered`, async () => {
    const fake = connected({ random: 0.5 });
    fake.link.on("message", () => assert.fail("a refusal that is not the last word is no news"));
    const answered = fake.link.request(request);
    for (const jitterMs of [500, 1_000, 2_000]) {
      const before = asked(fake);
      putOff(fake);
      fake.clock.pass(2_000 + jitterMs - 1);
      assert.equal(asked(fake), before);
      fake.clock.pass(1);
      assert.equal(asked(fake), before + 1);
    }
    const { requestId } = fake.lastSocket().sent.at(-1);
    const reply = request.type === "join" ? { type: "joined", roomId: "standup" } : { type: "registered", userId: "me" };
    fake.lastSocket().serverSays({ ...reply, requestId });
    assert.equal((await answered).type, reply.type);
    fake.clock.pass(20_000);
    assert.equal(asked(fake), 4);
  });
}

test("a request that is put off for more than a minute in all is refused", async () => {
  const fake = connected({ random: 0 });
  const refused = assert.rejects(fake.link.request({ type: "register" }), (error) => error instanceof Refused && error.code === "rate-limited");
  for (let again = 0; again <= 30; again++) {
    assert.equal(asked(fake), again + 1);
    putOff(fake);
    fake.clock.pass(2_000);
  }
  await refused;
  assert.equal(asked(fake), 31);
});

test("a refusal that names no time is the last word, whatever its code", async () => {
  const fake = connected();
  const refused = assert.rejects(fake.link.request({ type: "join", roomId: "standup" }), Refused);
  const { requestId } = fake.lastSocket().sent.at(-1);
  fake.lastSocket().serverSays({ type: "join-error", error: "", code: "rate-limited", requestId });
  await refused;
});

for (const [what, end] of /** @type {const} */ ([
  ["lost", (/** @type {ReturnType<typeof fakeLink>} */ { lastSocket }) => lastSocket().serverCloses(1006)],
  ["closed", (/** @type {ReturnType<typeof fakeLink>} */ { link }) => link.close()],
])) {
  test(`what waits to be asked again is given up with a link that is ${what}`, async () => {
    const fake = connected();
    const given = assert.rejects(fake.link.request({ type: "register" }), LinkLost);
    putOff(fake);
    end(fake);
    await given;
    fake.link.connect();
    fake.lastSocket().serverSays(WELCOME);
    fake.clock.pass(20_000);
    assert.equal(asked(fake), 0);
  });
}

test("closed for saying too much, the link waits 30 s and a random part as long again; by hand it needs not", () => {
  for (const [random, waitMs] of [[0, 30_000], [0.5, 45_000]]) {
    const { link, clock, sockets, lastSocket } = connected({ random });
    lastSocket().serverCloses(4008);
    clock.pass(waitMs - 1);
    assert.equal(sockets.length, 1);
    clock.pass(1);
    assert.equal(sockets.length, 2);
    lastSocket().serverSays(WELCOME);
    lastSocket().serverCloses(4008);
    link.connect();
    assert.equal(sockets.length, 3);
  }
});

test("the causes of limits have words: what was not finished, what was too much, and who was not let in at all", () => {
  for (const [close, code] of /** @type {const} */ ([
    [4005, "unfinished-message"], [4008, "too-many-messages"], [1006, "lost"],
  ])) {
    const { link, lastSocket } = connected();
    lastSocket().serverCloses(close);
    const { state } = link;
    assert.equal("cause" in state && state.cause?.code, code);
    assert.ok(`cause.${code}` in CAUSES);
  }
});

test("a connect that fails, as browsers show 429 and 503, is told as such and tried ever less often", () => {
  const { link, clock, lastSocket } = fakeLink();
  /** @type {any[]} */
  const waits = [];
  link.on("state", (state) => state.phase === "waiting" && waits.push([state.cause.code, state.retryInMs]));
  link.connect();
  for (let failure = 0; failure < 6; failure++) {
    lastSocket().serverCloses(1006);
    clock.pass(waits.at(-1)[1]);
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 7_500, 7_500].map((wait) => ["unreachable", wait]));
  assert.ok("cause.unreachable" in CAUSES);
});

test("a join that is put off is no refusal: the room is joined later, and the name is not asked for twice", async () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  const [register, join] = fake.lastSocket().sent;
  fake.lastSocket().serverSays({ type: "registered", userId: "me", requestId: register.requestId });
  putOff(fake);
  await settled();
  assert.deepEqual(fake.events, []);
  fake.clock.pass(2_500);
  assert.deepEqual(fake.lastSocket().sent.slice(2), [join]);
  fake.lastSocket().serverSays({
    type: "joined", roomId: "standup", members: ["bob"], peers: [member("bob")], room: {}, requestId: join.requestId,
  });
  assert.deepEqual(fake.events, [["joined", "standup"], ["mate-joined", "bob"]]);
});

test("a join that is put off for more than a minute ends the visit with the code", async () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "", stream: null });
  const { requestId } = present(fake.lastSocket().sent[1]);
  fake.lastSocket().serverSays({ type: "join-error", error: "", ...TOO_OFTEN, retryAfterMs: 60_000, requestId });
  await settled();
  assert.deepEqual(fake.events, [["ended", "rate-limited"]]);
});

for (const [what, end] of /** @type {const} */ ([
  ["left", (/** @type {import("../../../client/protocol/room.js").Room} */ room) => room.leave()],
  ["closed", (/** @type {import("../../../client/protocol/room.js").Room} */ room) => room.close()],
])) {
  test(`${what} while the join waits to be asked again: it is not`, async () => {
    const fake = fakeRoom();
    fake.room.join({ roomId: "standup", displayName: "", stream: null });
    putOff(fake, 0);
    putOff(fake, 1);
    end(fake.room);
    const said = fake.lastSocket().sent.length;
    fake.clock.pass(20_000);
    await settled();
    assert.equal(fake.lastSocket().sent.length, said);
    assert.ok(fake.events.every(([name]) => name !== "ended" && name !== "refused"));
  });
}

test("who goes elsewhere while the join waits asks for the new room alone", async () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "", stream: null });
  putOff(fake);
  fake.room.join({ roomId: "other", displayName: "", stream: null });
  grant(fake);
  fake.clock.pass(20_000);
  await settled();
  assert.deepEqual(fake.lastSocket().sent.filter(({ type }) => type === "join").map(({ roomId }) => roomId), ["standup", "other"]);
  assert.deepEqual(fake.events, [["joined", "other"]]);
});

test("a name that is put off is asked for again, as it is by then", () => {
  const fake = fakeRoom();
  seat(fake);
  fake.room.rename("Anna");
  putOff(fake);
  fake.room.rename("Hannah");
  const { requestId } = fake.lastSocket().sent.at(-1);
  fake.lastSocket().serverSays({ type: "registered", userId: "me", requestId });
  fake.clock.pass(2_500);
  assert.deepEqual(fake.lastSocket().sent.slice(-3).map(({ displayName }) => displayName), ["Anna", "Hannah", "Hannah"]);
});

test("who has the seat and not the name stays, even if that is refused in the end", async () => {
  const fake = fakeRoom();
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  const [register, join] = fake.lastSocket().sent;
  putOff(fake, 0);
  fake.lastSocket().serverSays({ type: "joined", roomId: "standup", members: [], peers: [], room: {}, requestId: join.requestId });
  fake.clock.pass(2_500);
  fake.lastSocket().serverSays({ type: "error", message: "", ...TOO_OFTEN, retryAfterMs: 60_000, requestId: register.requestId });
  await settled();
  assert.deepEqual(fake.events, [["joined", "standup"]]);
  assert.equal(fake.room.seated, true);
});

test("that signals wait fails no chat message and ends nothing", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  fake.room.say("hello");
  const before = fake.events.length;
  fake.lastSocket().serverSays({ type: "error", message: "Too much", ...TOO_OFTEN });
  assert.deepEqual(fake.room.chat.map(({ failed }) => failed), [false]);
  assert.equal(fake.events.length, before);
});
