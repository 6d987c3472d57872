import assert from "node:assert/strict";
import { test } from "node:test";

import { Peer } from "../../../client/peer.js";
import { FakeConnection, present, settled } from "./fakes.js";

/**
 * @param {{ polite: boolean, stream?: object | null, name?: string }} options
 */
function fakePeer({ polite, stream = null, name = "own" }) {
  /** @type {any[]} */
  const sent = [];
  /** @type {unknown[]} */
  const faults = [];
  /** @type {FakeConnection | undefined} */
  let connection;
  class Connection extends FakeConnection {
    constructor() {
      super(name);
      connection = this;
    }
  }
  const options = { polite, iceServers: [], stream: /** @type {any} */ (stream), send: sent.push.bind(sent) };
  const peer = new Peer(/** @type {any} */ (options), /** @type {any} */ (Connection));
  peer.on("fault", (fault) => faults.push(fault));
  return { peer, sent, faults, connection: present(connection) };
}

/** @param {string} kind */
const track = (kind) => ({ kind });
/** @param {...string} kinds */
const stream = (...kinds) => ({ getTracks: () => kinds.map(track) });
/** @param {string} fragment */
const sdp = (fragment) => `v=0\r\na=ice-ufrag:${fragment}\r\n`;
/** @param {"offer" | "answer"} type @param {string} fragment */
const description = (type, fragment) => ({ type, fromId: "other", fromUserId: null, sdp: { type, sdp: sdp(fragment) } });
/** @param {object | null} value */
const candidate = (value) => ({ type: /** @type {const} */ ("candidate"), fromId: "other", candidate: value });

test("the impolite side offers what it sends, and room for the kinds it does not", async () => {
  const { connection, sent } = fakePeer({ polite: false, stream: stream("audio") });
  assert.deepEqual(connection.tracks, [track("audio")]);
  assert.deepEqual(connection.receiveOnly, ["video"]);
  connection.onnegotiationneeded();
  await settled();
  assert.deepEqual(sent, [{ type: "offer", sdp: { type: "offer", sdp: sdp("own1") } }]);
});

test("the polite side waits: it offers nothing before the first offer, then answers with its tracks", async () => {
  const { peer, connection, sent } = fakePeer({ polite: true, stream: stream("audio") });
  connection.onnegotiationneeded();
  await settled();
  assert.deepEqual(sent, []);
  await peer.receive(description("offer", "other1"));
  assert.deepEqual(sent.map(({ type }) => type), ["answer"]);
  assert.deepEqual(connection.tracks, [track("audio")]);
  assert.deepEqual(connection.receiveOnly, []);
});

test("once there was an offer, the polite side may offer too", async () => {
  const { peer, connection, sent } = fakePeer({ polite: true });
  await peer.receive(description("offer", "other1"));
  connection.onnegotiationneeded();
  await settled();
  assert.deepEqual(sent.map(({ type }) => type), ["answer", "offer"]);
});

test("candidates before the remote description wait for it and are then added in order, null last", async () => {
  const { peer, connection, faults } = fakePeer({ polite: true });
  const [first, second] = [{ candidate: "1" }, { candidate: "2" }];
  await peer.receive(candidate(first));
  await peer.receive(candidate(second));
  assert.deepEqual(connection.candidates, []);
  const offered = peer.receive(description("offer", "other1"));
  const ended = peer.receive(candidate(null));
  await Promise.all([offered, ended]);
  assert.deepEqual(connection.candidates, [first, second, null]);
  assert.deepEqual(faults, []);
});

test("candidates after the remote description are added at once, null as the end of candidates", async () => {
  const { peer, connection } = fakePeer({ polite: true });
  await peer.receive(description("offer", "other1"));
  await peer.receive(candidate({ candidate: "1" }));
  await peer.receive(candidate(null));
  assert.deepEqual(connection.candidates, [{ candidate: "1" }, null]);
});

test("own candidates are sent as they come, and the end of them as null", () => {
  const { connection, sent } = fakePeer({ polite: false });
  connection.onicecandidate({ candidate: { toJSON: () => ({ candidate: "1" }) } });
  connection.onicecandidate({ candidate: null });
  assert.deepEqual(sent, [
    { type: "candidate", candidate: { candidate: "1" } },
    { type: "candidate", candidate: null },
  ]);
});

test("glare: the impolite side ignores the offer and drops its candidates, then takes the answer", async () => {
  const { peer, connection, sent, faults } = fakePeer({ polite: false });
  connection.onnegotiationneeded();
  await settled();
  await peer.receive(description("offer", "ignored"));
  await peer.receive(candidate({ candidate: "of the ignored offer", usernameFragment: "ignored" }));
  await peer.receive(candidate(null));
  assert.equal(connection.remoteDescription, null);
  await peer.receive(description("answer", "other1"));
  await peer.receive(candidate({ candidate: "of the answer", usernameFragment: "other1" }));
  assert.deepEqual(connection.candidates, [{ candidate: "of the answer", usernameFragment: "other1" }]);
  assert.deepEqual(sent.map(({ type }) => type), ["offer"]);
  assert.deepEqual(faults, []);
});

test("glare later on: candidates of the description in use are still taken from behind an ignored offer", async () => {
  const { peer, connection } = fakePeer({ polite: false });
  connection.onnegotiationneeded();
  await settled();
  await peer.receive(description("answer", "other1"));
  connection.onnegotiationneeded();
  await settled();
  await peer.receive(description("offer", "ignored"));
  const late = { candidate: "late", usernameFragment: "other1" };
  await peer.receive(candidate(late));
  await peer.receive(candidate({ candidate: "no", usernameFragment: "ignored" }));
  assert.deepEqual(connection.candidates, [late]);
});

test("glare while the own offer is still being made: the impolite side ignores the other one", async () => {
  const { peer, connection, sent } = fakePeer({ polite: false });
  connection.onnegotiationneeded();
  await peer.receive(description("offer", "ignored"));
  await settled();
  assert.equal(connection.remoteDescription, null);
  assert.deepEqual(sent.map(({ type }) => type), ["offer"]);
});

test("glare: the polite side rolls its offer back and answers", async () => {
  const { peer, connection, sent, faults } = fakePeer({ polite: true });
  await peer.receive(description("offer", "other1"));
  connection.onnegotiationneeded();
  await settled();
  await peer.receive(description("offer", "other2"));
  assert.equal(connection.rollbacks, 1);
  assert.equal(connection.signalingState, "stable");
  assert.deepEqual(sent.map(({ type }) => type), ["answer", "offer", "answer"]);
  assert.deepEqual(faults, []);
});

test("an offer right behind an answer is no glare: both are taken", async () => {
  const { peer, connection, sent } = fakePeer({ polite: false });
  connection.onnegotiationneeded();
  await settled();
  await Promise.all([peer.receive(description("answer", "other1")), peer.receive(description("offer", "other2"))]);
  assert.equal(connection.remoteDescription?.sdp, sdp("other2"));
  assert.deepEqual(sent.map(({ type }) => type), ["offer", "answer"]);
});

test("both sides renegotiate at once: they end in the same state, whoever is heard first", async () => {
  const [left, right] = [fakePeer({ polite: false, name: "left" }), fakePeer({ polite: true, name: "right" })];
  /** @param {typeof left} from @param {typeof left} to */
  const deliver = async (from, to) => {
    for (const signal of from.sent.splice(0)) await to.peer.receive({ ...signal, fromId: "other", fromUserId: null });
  };
  left.connection.onnegotiationneeded();
  await settled();
  await deliver(left, right);
  await deliver(right, left);
  left.connection.onnegotiationneeded();
  right.connection.onnegotiationneeded();
  await settled();
  await Promise.all([deliver(right, left), deliver(left, right)]);
  await deliver(right, left);
  assert.equal(left.connection.signalingState, "stable");
  assert.equal(right.connection.signalingState, "stable");
  assert.equal(left.connection.remoteDescription?.sdp, right.connection.localDescription?.sdp);
  assert.equal(right.connection.remoteDescription?.sdp, left.connection.localDescription?.sdp);
  assert.deepEqual([...left.faults, ...right.faults], []);
});

test("a failed connection restarts ICE, and only a failed one", () => {
  const { connection } = fakePeer({ polite: true });
  for (const state of ["checking", "disconnected", "connected"]) {
    connection.iceConnectionState = state;
    connection.oniceconnectionstatechange();
  }
  assert.equal(connection.restarts, 0);
  connection.iceConnectionState = "failed";
  connection.oniceconnectionstatechange();
  assert.equal(connection.restarts, 1);
});

for (const [what, sdp] of [["null", null], ["a number", 7], ["no sdp inside", {}]]) {
  test(`a description that is ${what} is reported, and the next good one still works`, async () => {
    const { peer, sent, faults } = fakePeer({ polite: true });
    await peer.receive({ type: "offer", fromId: "other", fromUserId: null, sdp });
    assert.equal(faults.length, 1);
    await peer.receive(description("offer", "other1"));
    assert.deepEqual(sent.map(({ type }) => type), ["answer"]);
  });
}

test("an answer that cannot be used does not make a later glare look like none", async () => {
  const { peer, connection, sent } = fakePeer({ polite: false });
  await peer.receive(description("answer", "unasked"));
  connection.onnegotiationneeded();
  await settled();
  await peer.receive(description("offer", "ignored"));
  assert.equal(connection.remoteDescription, null);
  assert.deepEqual(sent.map(({ type }) => type), ["offer"]);
});

test("a description's type is the envelope's: a rollback from outside is none", async () => {
  const { peer, connection } = fakePeer({ polite: true });
  await peer.receive({ type: "offer", fromId: "other", fromUserId: null, sdp: { type: "rollback", sdp: sdp("other1") } });
  assert.equal(connection.remoteDescription?.type, "offer");
});

test("what fails because the peer was closed is not reported", async () => {
  const { peer, faults } = fakePeer({ polite: true });
  const receiving = peer.receive(description("offer", "other1"));
  peer.close();
  await receiving;
  assert.deepEqual(faults, []);
});
