import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { fromOtherSources } from "../../../client/protocol/sdp.js";
import { candidate, description, fakePeer, lines, sdp, stream } from "./fake-peer.js";
import { settled } from "./fakes.js";

test("the polite side waits: it offers nothing before the first offer, then answers on the offered m-lines", async () => {
  const { peer, connection, sent } = fakePeer({ polite: true, stream: stream("audio") });
  connection.onnegotiationneeded();
  await settled();
  assert.deepEqual(sent, []);
  await peer.receive(description("offer", "other1", "audio", "video"));
  assert.deepEqual(sent.map(({ type }) => type), ["answer"]);
  assert.deepEqual(lines(connection), [["audio", "sendrecv", "audio"], ["video", "sendrecv", null]]);
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

test("an offer as if from other sources: each m-line of media has one, whether it had one or not, and all else stays", () => {
  const offer = "v=0\r\nm=audio 9\r\na=ssrc:7 cname:x\r\na=mid:0\r\nm=video 9\na=ssrc-group:FID 1 2\na=ssrc:1 cname:x\na=ssrc:2 cname:x\n" +
    "m=video 9\r\na=mid:2\r\nm=application 9\r\n";
  assert.equal(fromOtherSources(offer), "v=0\r\nm=audio 9\r\na=mid:0\r\na=ssrc:1 cname:other\r\nm=video 9\r\na=ssrc:2 cname:other\r\n" +
    "m=video 9\r\na=mid:2\r\na=ssrc:3 cname:other\r\nm=application 9\r\n");
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

test("candidates that come before their own description wait for it, and only they", async () => {
  const { peer, connection, faults } = fakePeer({ polite: true });
  await peer.receive(description("offer", "old"));
  const [early, stray] = [{ candidate: "new", usernameFragment: "new" }, { candidate: "?", usernameFragment: "other" }];
  await peer.receive(candidate(early));
  await peer.receive(candidate(stray));
  assert.deepEqual(connection.candidates, []);
  await peer.receive(description("offer", "new"));
  assert.deepEqual(connection.candidates, [early]);
  assert.deepEqual(faults, []);
});

test("a flood of candidates that fit nothing does not fill the memory", async () => {
  const { peer, connection } = fakePeer({ polite: true });
  for (let number = 0; number < 1_000; number++) await peer.receive(candidate({ candidate: String(number) }));
  await peer.receive(description("offer", "other1"));
  assert.equal(connection.candidates.length, 200);
  assert.equal(connection.candidates.at(-1).candidate, "999");
});

test("a failed connection restarts ICE, the polite side a moment later and only if it still has to", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const [impolite, polite, mended] = [fakePeer({ polite: false }), fakePeer({ polite: true }), fakePeer({ polite: true })];
  for (const { connection } of [impolite, polite, mended]) {
    for (const state of ["checking", "disconnected", "connected"]) {
      connection.iceConnectionState = state;
      connection.oniceconnectionstatechange();
    }
    assert.equal(connection.restarts, 0);
    connection.iceConnectionState = "failed";
    connection.oniceconnectionstatechange();
  }
  assert.deepEqual([impolite, polite].map(({ connection }) => connection.restarts), [1, 0]);
  mended.connection.iceConnectionState = "connected";
  mock.timers.tick(2_000);
  assert.deepEqual([impolite, polite, mended].map(({ connection }) => connection.restarts), [1, 1, 0]);
});

test("an offer that nobody answers is sent again, until it is answered", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { peer, connection, sent } = fakePeer({ polite: false });
  connection.onnegotiationneeded();
  await settled();
  mock.timers.tick(20_000);
  mock.timers.tick(20_000);
  assert.deepEqual(sent, Array(3).fill({ type: "offer", sdp: { type: "offer", sdp: sdp("own1") } }));
  await peer.receive(description("answer", "other1"));
  mock.timers.tick(20_000);
  assert.equal(sent.length, 3);
});

test("the answer to an offer that was sent again is no answer to the next one", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { peer, connection, faults } = fakePeer({ polite: false });
  connection.onnegotiationneeded();
  await settled();
  mock.timers.tick(20_000);
  mock.timers.tick(20_000);
  await peer.receive(description("answer", "other1"));
  await peer.receive(description("answer", "other1"));
  await peer.receive(description("answer", "of another wording"));
  assert.equal(connection.remoteDescription?.sdp, sdp("other1"));
  connection.onnegotiationneeded();
  await settled();
  await peer.receive(description("answer", "other1"));
  assert.equal(connection.signalingState, "have-local-offer");
  await peer.receive(description("answer", "other2"));
  assert.equal(connection.signalingState, "stable");
  assert.deepEqual(faults, []);
});

test("an answer may read like the one before: not all clients count their descriptions", async () => {
  const { peer, connection, faults } = fakePeer({ polite: false });
  for (let offer = 0; offer < 2; offer++) {
    connection.onnegotiationneeded();
    await settled();
    await peer.receive(description("answer", "other1"));
    assert.equal(connection.signalingState, "stable");
  }
  assert.deepEqual(faults, []);
});

test("an offer that comes again is answered as before, and no more while an offer of one's own is under way", async () => {
  const { peer, connection, sent } = fakePeer({ polite: true });
  await peer.receive(description("offer", "other1"));
  await peer.receive(description("offer", "other1"));
  assert.deepEqual(sent, Array(2).fill({ type: "answer", sdp: { type: "answer", sdp: sdp("own1") } }));
  connection.onnegotiationneeded();
  await settled();
  await peer.receive(description("offer", "other1"));
  assert.equal(connection.rollbacks, 0);
  assert.deepEqual(sent.map(({ type }) => type), ["answer", "answer", "offer"]);
});

test("why a peer cannot be reached: no relay on either side, no path over one, or no answer at all", async () => {
  const relay = { candidate: "candidate:1 1 udp 1 192.0.2.1 3478 typ relay raddr 0.0.0.0 rport 0" };
  for (const [candidates, cause] of /** @type {const} */ ([[[], "needs-turn"], [[relay], "no-path"]])) {
    const { peer, connection } = fakePeer({ polite: true });
    /** @type {string[]} */
    const causes = [];
    peer.on("unreachable", ({ cause }) => causes.push(cause));
    await peer.receive(description("offer", "other1"));
    for (const each of candidates) await peer.receive(candidate(each));
    connection.iceConnectionState = "failed";
    connection.oniceconnectionstatechange();
    assert.deepEqual(causes, [cause]);
  }
  const turn = fakePeer({ polite: true, iceServers: [{ urls: ["stun:stun.test", "turns:turn.test"] }] });
  turn.peer.on("unreachable", ({ cause }) => assert.equal(cause, "no-path", "there is a TURN server, which gave no relay"));
  await turn.peer.receive(description("offer", "other1"));
  turn.connection.oniceconnectionstatechange(turn.connection.iceConnectionState = "failed");

  mock.timers.enable({ apis: ["setTimeout"] });
  const { peer } = fakePeer({ polite: false });
  /** @type {string[]} */
  const causes = [];
  peer.on("unreachable", ({ cause }) => causes.push(cause));
  mock.timers.tick(20_000);
  assert.deepEqual(causes, ["no-answer"]);
});

test("a path that was there and is lost, as to a device that sleeps, is no want of a TURN server", async () => {
  const { peer, connection } = fakePeer({ polite: false });
  peer.on("unreachable", ({ cause }) => assert.fail(cause));
  await peer.receive(description("offer", "other1"));
  connection.onconnectionstatechange(connection.connectionState = "connected");
  connection.oniceconnectionstatechange(connection.iceConnectionState = "failed");
  assert.equal(connection.restarts, 1);
});

test("other ICE servers are gone by at once, and a path over a relay of ours is looked for anew", async () => {
  const before = [{ urls: ["turn:turn.test"], username: "1:me", credential: "a" }];
  const after = [{ urls: ["turn:turn.test"], username: "2:me", credential: "b" }];
  for (const [path, restarts] of /** @type {const} */ ([
    [null, 0],
    [{ local: "host", remote: "srflx" }, 0],
    [{ local: "srflx", remote: "relay" }, 0],
    [{ local: "relay", remote: "host" }, 1],
    [{ local: "relay", remote: "relay" }, 1],
  ])) {
    const { peer, connection, faults } = fakePeer({ polite: true, iceServers: before });
    connection.path = path;
    await peer.setIceServers(after);
    assert.deepEqual(connection.getConfiguration(), { iceTransportPolicy: "relay", iceServers: after });
    assert.equal(connection.restarts, restarts, JSON.stringify(path));
    peer.close();
    await peer.setIceServers(before);
    assert.deepEqual(faults, []);
  }
});

test("a browser that cannot change ICE servers says so, and the connection goes on", async () => {
  const { peer, connection, faults } = fakePeer({ polite: true });
  connection.setConfiguration = () => {
    throw new TypeError("not a function");
  };
  await peer.setIceServers([]);
  assert.equal(faults.length, 1);
  await peer.receive(description("offer", "other1"));
  assert.equal(connection.signalingState, "stable");
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
