import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import { Peer } from "../../../client/peer.js";
import { fromOtherSources } from "../../../client/sdp.js";
import { FakeConnection, present, settled } from "./fakes.js";

/** @type {Peer[]} */
let made = [];
afterEach(() => {
  // First the real clearTimeout(): a peer that was left waiting would keep the process alive.
  mock.timers.reset();
  for (const peer of made) peer.close();
  made = [];
});

/**
 * @param {{ polite: boolean, stream?: object | null, screen?: object, screenSlots?: boolean, name?: string,
 *   iceServers?: RTCIceServer[] }} options
 */
function fakePeer({ polite, stream = null, screen, screenSlots = false, name = "own", iceServers = [] }) {
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
  const options = { polite, iceServers, stream, screen, screenSlots, send: sent.push.bind(sent) };
  const peer = new Peer(/** @type {any} */ (options), /** @type {any} */ (Connection));
  made.push(peer);
  peer.on("fault", (fault) => faults.push(fault));
  return { peer, sent, faults, connection: present(connection) };
}

/** @param {string} kind */
const track = (kind) => ({ kind, getSettings: () => ({ height: 720 }) });
/** @param {...string} kinds */
const stream = (...kinds) => ({ getTracks: () => kinds.map(track) });
// Node has no media; the peer only collects tracks in it.
Object.assign(globalThis, {
  MediaStream: class extends EventTarget {
    /** @type {object[]} */
    tracks = [];
    getTracks = () => this.tracks;
    addTrack = (/** @type {object} */ track) => void this.tracks.push(track);
    removeTrack = (/** @type {object} */ track) => void this.tracks.splice(this.tracks.indexOf(track), 1);
  },
});
/** What is sent on each m-line. @param {FakeConnection} connection */
const lines = ({ transceivers }) => transceivers.map(({ receiver, direction, sender }) =>
  [receiver.track.kind, direction, sender.track?.kind ?? null]);

/** @param {string} fragment */
const sdp = (fragment) => `v=0\r\na=ice-ufrag:${fragment}\r\n`;
/** @param {"offer" | "answer"} type @param {string} fragment @param {string[]} kinds of m-lines */
const description = (type, fragment, ...kinds) => ({
  type, fromId: "other", fromUserId: null, sdp: { type, sdp: sdp(fragment) + kinds.map((kind) => `m=${kind}\r\n`).join("") },
});
/** @param {object | null} value */
const candidate = (value) => ({ type: /** @type {const} */ ("candidate"), fromId: "other", candidate: value });

test("the impolite side offers both kinds, so that a device may come later without negotiation", async () => {
  const { peer, connection, sent } = fakePeer({ polite: false, stream: stream("audio") });
  assert.deepEqual(lines(connection), [["audio", "sendrecv", "audio"], ["video", "sendrecv", null]]);
  connection.onnegotiationneeded();
  await settled();
  assert.deepEqual(sent, [{ type: "offer", sdp: { type: "offer", sdp: sdp("own1") } }]);
  await peer.setTrack("camera", /** @type {any} */ (track("video")));
  assert.deepEqual(lines(connection)[1], ["video", "sendrecv", "video"]);
});

test("the polite side waits: it offers nothing before the first offer, then answers on the offered m-lines", async () => {
  const { peer, connection, sent } = fakePeer({ polite: true, stream: stream("audio") });
  connection.onnegotiationneeded();
  await settled();
  assert.deepEqual(sent, []);
  await peer.receive(description("offer", "other1", "audio", "video"));
  assert.deepEqual(sent.map(({ type }) => type), ["answer"]);
  assert.deepEqual(lines(connection), [["audio", "sendrecv", "audio"], ["video", "sendrecv", null]]);
});

test("what the offer has no room for, the polite side adds", async () => {
  const { peer, connection } = fakePeer({ polite: true, stream: stream("audio", "video") });
  await peer.receive(description("offer", "other1", "audio"));
  assert.deepEqual(lines(connection), [["audio", "sendrecv", "audio"], ["video", "sendrecv", "video"]]);
});

test("a camera that comes while the first answer is being made goes on the offered m-line", async () => {
  const { peer, connection, sent } = fakePeer({ polite: true, stream: stream("audio") });
  /** @type {() => void} */
  let release = () => {};
  const released = new Promise((resolve) => (release = () => resolve(null)));
  connection.onOffered = ({ sender }) => {
    sender.replaceTrack = async (track) => {
      await released;
      sender.track = track;
    };
  };
  const answering = peer.receive(description("offer", "other1", "audio", "video"));
  await settled();
  const setting = peer.setTrack("camera", /** @type {any} */ (track("video")));
  release();
  await Promise.all([answering, setting]);
  assert.deepEqual(lines(connection), [["audio", "sendrecv", "audio"], ["video", "sendrecv", "video"]]);
  assert.deepEqual(sent.map(({ type }) => type), ["answer"]);
});

test("a track that cannot be sent is reported, and the offer answered without it", async () => {
  const { peer, connection, sent, faults } = fakePeer({ polite: true, stream: stream("audio", "video") });
  connection.onOffered = ({ sender, receiver }) => {
    if (receiver.track.kind === "audio") sender.replaceTrack = () => Promise.reject(new Error("no"));
  };
  await peer.receive(description("offer", "other1", "audio", "video"));
  assert.deepEqual(sent.map(({ type }) => type), ["answer"]);
  assert.equal(faults.length, 1);
  assert.deepEqual(lines(connection)[1], ["video", "sendrecv", "video"]);
});

test("a camera whose m-line was refused gets another one", async () => {
  const { peer, connection, faults } = fakePeer({ polite: false, stream: stream("audio") });
  present(connection.transceivers[1]).direction = "stopped";
  await peer.setTrack("camera", /** @type {any} */ (track("video")));
  assert.deepEqual(lines(connection)[2], ["video", "sendrecv", "video"]);
  assert.deepEqual(faults, []);
});

test("the own screen is not taken for the place of the other's camera", async () => {
  const { peer, connection } = fakePeer({ polite: true, screen: stream("video") });
  await peer.receive(description("offer", "other1", "audio"));
  assert.deepEqual(lines(connection).map(([kind]) => kind), ["audio", "video"]);
  /** @type {string[]} */
  const shown = [];
  for (const name of /** @type {const} */ (["stream", "screen"])) peer.on(name, () => shown.push(name));
  await peer.receive(description("offer", "other2", "audio", "video", "video"));
  connection.ontrack({ track: track("video"), streams: [new MediaStream()], transceiver: connection.transceivers[2] });
  assert.deepEqual(shown, ["stream"]);
});

test("an encoder that never takes its parameters holds up no signal", async () => {
  const { peer, connection } = fakePeer({ polite: true, stream: stream("video") });
  connection.onOffered = ({ sender }) => {
    sender.setParameters = () => new Promise(() => {});
  };
  peer.receive(description("offer", "other1", "audio", "video"));
  peer.receive(candidate({ candidate: "1" }));
  await settled();
  assert.equal(connection.candidates.length, 1);
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

test("a screen is an m-line beside the camera, used again by the next share", () => {
  const { peer, connection } = fakePeer({ polite: false, stream: stream("audio", "video") });
  for (let share = 0; share < 3; share++) {
    peer.setScreen(/** @type {any} */ (stream("video")));
    assert.deepEqual(connection.transceivers.length, 3);
    assert.equal(connection.transceivers[2]?.direction, "sendonly");
    peer.setScreen(null);
    assert.equal(connection.transceivers[2]?.direction, "inactive");
  }
});

test("with slots for screens, a share changes no direction, and setSharing() shows the other's", async () => {
  const { peer, connection } = fakePeer({ polite: true, screenSlots: true, stream: stream("audio", "video") });
  await peer.receive(description("offer", "other1", "audio", "video", "audio", "video"));
  const idle = lines(connection);
  peer.setScreen(/** @type {any} */ (stream("video")));
  await settled();
  assert.deepEqual(lines(connection), [...idle.slice(0, 3), ["video", "sendrecv", "video"]]);
  /** @type {boolean[]} */
  const shown = [];
  peer.on("screen", (screen) => shown.push(screen !== null));
  for (const sharing of [true, true, false]) peer.setSharing(sharing);
  assert.deepEqual(shown, [true, false]);
});

/** What the other side shows, by the kinds of its tracks, at each change. @param {Peer} peer */
function shownBy(peer) {
  /** @type {string[]} */
  const shown = [];
  for (const name of /** @type {const} */ (["stream", "screen"])) {
    peer.on(name, (stream) => shown.push(`${name}: ${stream?.getTracks().map(({ kind }) => kind).join(" ") ?? "none"}`));
  }
  return shown;
}

/** @param {MediaStream} stream @param {object} track */
const removeFrom = (stream, track) => stream.dispatchEvent(Object.assign(new Event("removetrack"), { track }));

test("sound and picture of one who names a stream for each, or none at all, are one stream; what goes is gone", async () => {
  const { peer, connection } = fakePeer({ polite: true });
  await peer.receive(description("offer", "other1", "audio", "video"));
  const shown = shownBy(peer);
  const [named, camera] = [new MediaStream(), track("video")];
  connection.ontrack({ track: track("audio"), streams: [], transceiver: connection.transceivers[0] });
  connection.ontrack({ track: camera, streams: [named], transceiver: connection.transceivers[1] });
  removeFrom(named, camera);
  removeFrom(named, camera);
  assert.deepEqual(shown, ["stream: audio", "stream: audio video", "stream: audio"]);
});

test("a screen in the stream of the camera is shown beside it, and ends with its track", async () => {
  const { peer, connection } = fakePeer({ polite: true });
  await peer.receive(description("offer", "other1", "video", "video"));
  const shown = shownBy(peer);
  const [named, screen] = [new MediaStream(), track("video")];
  for (const [index, each] of [track("video"), screen].entries()) {
    connection.ontrack({ track: each, streams: [named], transceiver: connection.transceivers[index] });
  }
  removeFrom(named, screen);
  assert.deepEqual(shown, ["stream: video", "screen: video", "screen: none"]);
});

test("the more peers there are, the less each is sent", async () => {
  const { peer, connection } = fakePeer({ polite: false, stream: stream("audio", "video") });
  /** @type {any[]} */
  const budgets = [];
  for (const count of [1, 2, 3, 5, 8, 12]) {
    await peer.setPeerCount(count);
    budgets.push(connection.transceivers[1]?.budget);
  }
  assert.equal(budgets[0].scaleResolutionDownBy, 1);
  assert.equal(budgets[3].scaleResolutionDownBy, 2);
  for (let step = 1; step < budgets.length; step++) {
    assert.ok(budgets[step].maxBitrate < budgets[step - 1].maxBitrate);
    assert.ok(budgets[step].scaleResolutionDownBy > budgets[step - 1].scaleResolutionDownBy);
  }
  assert.ok(5 * budgets[3].maxBitrate <= 2_000_000, "six people fit a common uplink");
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
