import assert from "node:assert/strict";
import { test } from "node:test";

import { LinkLost, Refused } from "../../../client/protocol/signaling.js";
import { WELCOME, fakeLink, settled } from "./fakes.js";

/** @param {ReturnType<typeof fakeLink>} fake */
function connected(fake) {
  fake.link.connect();
  fake.lastSocket().serverSays(WELCOME);
  return fake;
}

test("a lost link connects again, and each failure doubles the longest wait up to 15 s", () => {
  const { link, clock, sockets, lastSocket } = connected(fakeLink());
  /** @type {number[]} */
  const waits = [];
  link.on("state", (state) => state.phase === "waiting" && waits.push(state.retryInMs));
  for (let failure = 0; failure < 6; failure++) {
    lastSocket().serverCloses(1006);
    clock.pass(waits.at(-1) ?? NaN);
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 7_500, 7_500]);
  assert.equal(sockets.length, 7);
});

test("the wait is a random part of the longest one", () => {
  for (const random of [0, 0.25, 0.999]) {
    const { link, lastSocket } = connected(fakeLink({ random }));
    let wait = NaN;
    link.on("state", (state) => state.phase === "waiting" && (wait = state.retryInMs));
    lastSocket().serverCloses(1006);
    assert.equal(wait, 1_000 * random);
  }
});

test("no socket is opened before the wait is over", () => {
  const { clock, sockets, lastSocket } = connected(fakeLink());
  lastSocket().serverCloses(1006);
  clock.pass(499);
  assert.equal(sockets.length, 1);
  clock.pass(1);
  assert.equal(sockets.length, 2);
});

test("a link that lasted starts the waits anew; one that ended right after its welcome does not", () => {
  const { link, clock, lastSocket } = connected(fakeLink());
  /** @type {number[]} */
  const waits = [];
  link.on("state", (state) => state.phase === "waiting" && waits.push(state.retryInMs));
  lastSocket().serverCloses(4001);
  clock.pass(500);
  lastSocket().serverSays(WELCOME);
  lastSocket().serverCloses(4001);
  clock.pass(1_000);
  lastSocket().serverSays(WELCOME);
  clock.pass(15_000);
  lastSocket().serverCloses(4001);
  assert.deepEqual(waits, [500, 1_000, 500]);
});

for (const code of [4500, 4501, 4999]) {
  test(`close code ${code} ends the link: it says why and never connects again by itself`, () => {
    const { link, clock, sockets, lastSocket } = connected(fakeLink());
    /** @type {unknown[]} */
    const states = [];
    link.on("state", (state) => states.push(state));
    lastSocket().serverCloses(code, "Removed by an administrator");
    clock.pass(3_600_000);
    const cause = { code: code === 4501 ? "removed" : "ended", text: "Removed by an administrator" };
    assert.deepEqual(states, [{ phase: "ended", cause }]);
    assert.equal(sockets.length, 1);
    link.connect();
    assert.equal(sockets.length, 2, "people may still ask for it");
  });
}

for (const code of [1001, 1006, 1011, 1012, 4000, 4001, 4499, 5000]) {
  test(`close code ${code}: the link connects again`, () => {
    const { clock, sockets, lastSocket } = connected(fakeLink());
    lastSocket().serverCloses(code);
    clock.pass(1_000);
    assert.equal(sockets.length, 2);
  });
}

for (const retryAfterMs of [0, 1_000, 240_000]) {
  test(`after going-away the link waits ${retryAfterMs} ms, as it was told, and a random part of a second, once`, () => {
    const { link, clock, sockets, lastSocket } = connected(fakeLink({ random: 0.5 }));
    /** @type {number[]} */
    const waits = [];
    link.on("state", (state) => state.phase === "waiting" && waits.push(state.retryInMs));
    lastSocket().serverSays({ type: "going-away", retryAfterMs });
    lastSocket().serverCloses(1001);
    clock.pass(retryAfterMs + 499);
    assert.equal(sockets.length, 1);
    clock.pass(1);
    assert.equal(sockets.length, 2);
    lastSocket().serverCloses(1006);
    assert.deepEqual(waits, [retryAfterMs + 500, 500]);
  });
}

test("a server that says nothing is asked with a ping after heartbeatMs and given up 10 s later", () => {
  const { link, clock, sockets, lastSocket } = connected(fakeLink());
  let downs = 0;
  link.on("state", ({ phase }) => phase === "waiting" && downs++);
  clock.pass(25_000);
  assert.deepEqual(lastSocket().sent, [{ type: "ping" }]);
  clock.pass(9_999);
  assert.equal(downs, 0);
  clock.pass(1);
  assert.equal(downs, 1);
  assert.ok(sockets[0]?.closedByClient);
  sockets[0]?.serverCloses(1006);
  assert.equal(downs, 1, "the given up socket's end is no second loss");
});

test("any message from the server counts as a sign of life", () => {
  const { link, clock, lastSocket } = connected(fakeLink());
  link.on("state", () => assert.fail("it was alive"));
  for (let heartbeat = 0; heartbeat < 5; heartbeat++) {
    clock.pass(25_000);
    lastSocket().serverSays({ type: "pong" });
  }
  assert.equal(lastSocket().sent.length, 5);
});

test("a server that accepts but never welcomes is given up after 10 s", () => {
  const { link, clock } = fakeLink();
  let downs = 0;
  link.on("state", ({ phase }) => phase === "waiting" && downs++);
  link.connect();
  clock.pass(10_000);
  assert.equal(downs, 1);
});

test("connecting twice opens one socket", () => {
  const { link, sockets } = fakeLink();
  link.connect();
  link.connect();
  assert.equal(sockets.length, 1);
});

test("connecting by hand replaces the wait: when that fails too, only the new wait counts", () => {
  const { link, clock, sockets, lastSocket } = connected(fakeLink());
  lastSocket().serverCloses(1006);
  clock.pass(250);
  link.connect();
  lastSocket().serverCloses(1006);
  clock.pass(999);
  assert.equal(sockets.length, 2);
  clock.pass(1);
  assert.equal(sockets.length, 3);
});

test("replies find their requests by requestId, in whatever order they come", async () => {
  const { link, lastSocket } = connected(fakeLink());
  const registered = link.request({ type: "register" });
  const pong = link.request({ type: "ping" });
  const [register, ping] = lastSocket().sent;
  lastSocket().serverSays({ type: "pong", requestId: ping.requestId });
  lastSocket().serverSays({ type: "registered", userId: "me", requestId: register.requestId });
  assert.equal((await pong).type, "pong");
  assert.equal((await registered).userId, "me");
});

test("a refusal rejects its request with the code and the server's words", async () => {
  const { link, lastSocket } = connected(fakeLink());
  const joining = link.request({ type: "join", roomId: "full" });
  const { requestId } = lastSocket().sent[0];
  lastSocket().serverSays({ type: "join-error", error: "Room is full", code: "room-full", requestId });
  await assert.rejects(joining, (error) => {
    assert.ok(error instanceof Refused);
    assert.equal(error.code, "room-full");
    assert.equal(error.text, "Room is full");
    return true;
  });
});

test("a move's `left` with the join's requestId is a message, and `joined` the reply", async () => {
  const { link, lastSocket } = connected(fakeLink());
  /** @type {string[]} */
  const messages = [];
  link.on("message", ({ type }) => messages.push(type));
  const joining = link.request({ type: "join", roomId: "new" });
  const { requestId } = lastSocket().sent[0];
  lastSocket().serverSays({ type: "left", roomId: "old", requestId });
  lastSocket().serverSays({ type: "joined", roomId: "new", peers: [], members: [], requestId });
  assert.equal((await joining).roomId, "new");
  assert.deepEqual(messages, ["left"]);
});

test("a lost link rejects what it still owes, and what is asked before the next welcome", async () => {
  const { link, lastSocket } = connected(fakeLink());
  const owed = assert.rejects(link.request({ type: "ping" }), LinkLost);
  lastSocket().serverCloses(1006);
  await owed;
  await assert.rejects(link.request({ type: "ping" }), LinkLost);
});

test("what is said without a link is dropped, not sent on the next one", async () => {
  const { link, clock, lastSocket } = connected(fakeLink());
  lastSocket().serverCloses(1006);
  link.send({ type: "candidate", targetId: "gone", candidate: null });
  clock.pass(1_000);
  lastSocket().serverSays(WELCOME);
  await settled();
  assert.deepEqual(lastSocket().sent, []);
});

test("each close code has a cause, and one that is not known is a lost link", () => {
  for (const [close, code] of /** @type {const} */ ([
    [1001, "going-away"], [1006, "lost"], [1009, "message-too-large"], [1011, "server-fault"], [4000, "timeout"],
    [4001, "slow-consumer"], [4499, "lost"], [4502, "room-closed"], [4503, "unauthenticated"], [4999, "ended"],
  ])) {
    const { link, lastSocket } = connected(fakeLink());
    lastSocket().serverCloses(close, "words");
    const { state } = link;
    assert.deepEqual("cause" in state && state.cause, { code, text: "words" }, String(close));
  }
});

test("the states of a link that is lost and comes back; what it was lost for is told until then", () => {
  const { link, clock, lastSocket } = fakeLink();
  /** @type {any[]} */
  const states = [];
  link.on("state", (state) => states.push([state.phase, "cause" in state ? state.cause?.code : undefined]));
  assert.equal(link.state.phase, "idle");
  link.connect();
  lastSocket().serverSays(WELCOME);
  lastSocket().serverCloses(1001);
  clock.pass(500);
  lastSocket().serverCloses(1006);
  clock.pass(1_000);
  lastSocket().serverSays(WELCOME);
  assert.deepEqual(states, [
    ["connecting", undefined], ["online", undefined], ["waiting", "going-away"], ["connecting", "going-away"],
    ["waiting", "going-away"], ["connecting", "going-away"], ["online", undefined],
  ]);
});

test("without a network no socket is opened, however long; with one again, at once", () => {
  const { link, clock, network, sockets, lastSocket } = connected(fakeLink());
  network.turn(false);
  lastSocket().serverCloses(1006);
  clock.pass(3_600_000);
  assert.equal(sockets.length, 1);
  assert.equal(link.state.phase, "offline");
  network.turn(true);
  assert.equal(sockets.length, 2);
});

for (const host of ["localhost:8080", "127.0.0.1", "[::1]:8080"]) {
  test(`a server at ${host} is tried again without a network: a device can reach itself`, () => {
    const { link, clock, network, sockets, lastSocket } = connected(fakeLink({ url: `ws://${host}/ws` }));
    network.turn(false);
    lastSocket().serverCloses(1006);
    assert.equal(link.state.phase, "offline");
    clock.pass(500);
    assert.equal(sockets.length, 2);
    lastSocket().serverCloses(1006);
    assert.equal(link.state.phase, "offline");
    clock.pass(1_000);
    lastSocket().serverSays(WELCOME);
    assert.equal(link.state.phase, "online");
  });
}

test("who asks for a link gets a try even without a network: devices are wrong about it", () => {
  const { link, clock, network, sockets, lastSocket } = connected(fakeLink());
  network.turn(false);
  lastSocket().serverCloses(1006);
  clock.pass(1_000);
  link.connect();
  assert.equal(sockets.length, 2);
  lastSocket().serverSays(WELCOME);
  assert.equal(link.state.phase, "online");
});

test("a closed link is silent and stays closed, until it is asked for again", async () => {
  const { link, clock, network, sockets, lastSocket } = connected(fakeLink());
  const asked = link.request({ type: "ping" });
  link.close();
  await assert.rejects(asked, LinkLost);
  assert.ok(lastSocket().closedByClient);
  assert.equal(link.state.phase, "idle");
  clock.pass(3_600_000);
  network.turn(true);
  assert.deepEqual([sockets.length, network.listeners.length], [1, 0]);
  link.connect();
  lastSocket().serverCloses(1006);
  link.close();
  clock.pass(3_600_000);
  assert.equal(sockets.length, 2);
});

test("a network that comes wakes neither a link that nobody asked for nor one that ended", () => {
  const { link, network, sockets, lastSocket } = fakeLink();
  network.turn(true);
  assert.equal(sockets.length, 0);
  link.connect();
  lastSocket().serverSays(WELCOME);
  lastSocket().serverCloses(4501);
  network.turn(true);
  assert.equal(sockets.length, 1);
});

test("a link that stands when the network changes is asked whether it still lives", () => {
  const { link, clock, network, lastSocket } = connected(fakeLink());
  network.turn(true);
  assert.deepEqual(lastSocket().sent, [{ type: "ping" }]);
  clock.pass(3_999);
  assert.equal(link.state.phase, "online");
  clock.pass(1);
  assert.equal(link.state.phase, "waiting");
});

test("a link that answers after a change of network is watched as before", () => {
  const { link, clock, network, lastSocket } = connected(fakeLink());
  network.turn(true);
  lastSocket().serverSays({ type: "pong" });
  clock.pass(25_000 + 9_999);
  assert.equal(link.state.phase, "online");
  clock.pass(1);
  assert.equal(link.state.phase, "waiting");
});
