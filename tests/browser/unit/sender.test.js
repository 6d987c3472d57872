import assert from "node:assert/strict";
import { test } from "node:test";

import { candidate, description, fakePeer, lines, sdp, stream, track } from "./fake-peer.js";
import { present, settled } from "./fakes.js";

/** @typedef {import("../../../client/protocol/peer.js").Peer} Peer */

test("the impolite side offers both kinds, so that a device may come later without negotiation", async () => {
  const { peer, connection, sent } = fakePeer({ polite: false, stream: stream("audio") });
  assert.deepEqual(lines(connection), [["audio", "sendrecv", "audio"], ["video", "sendrecv", null]]);
  connection.onnegotiationneeded();
  await settled();
  assert.deepEqual(sent, [{ type: "offer", sdp: { type: "offer", sdp: sdp("own1") } }]);
  await peer.setTrack("camera", /** @type {any} */ (track("video")));
  assert.deepEqual(lines(connection)[1], ["video", "sendrecv", "video"]);
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

test("a camera whose m-line the other side stopped goes on the one that is offered in its place", async () => {
  const { peer, connection, sent } = fakePeer({ polite: true, stream: stream("audio", "video") });
  await peer.receive(description("offer", "other1", "audio", "video"));
  present(connection.transceivers[1]).direction = "stopped";
  await peer.receive(description("offer", "other2", "audio", "video", "video"));
  assert.deepEqual(lines(connection).slice(2), [["video", "sendrecv", "video"]]);
  present(connection.transceivers[2]).direction = "stopped";
  await peer.receive(description("offer", "other3", "audio", "video", "video"));
  assert.deepEqual(lines(connection).slice(3), [["video", "sendrecv", "video"]], "where none is offered, one is added");
  assert.deepEqual(sent.map(({ type }) => type), ["answer", "answer", "answer"]);
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

test("a screen is an m-line beside the camera, used again by the next share", () => {
  const { peer, connection } = fakePeer({ polite: false, stream: stream("audio", "video") });
  for (let share = 0; share < 3; share++) {
    peer.setScreen(/** @type {any} */ (stream("video")));
    assert.deepEqual(connection.transceivers.length, 3);
    assert.equal(connection.transceivers[2]?.direction, "sendrecv");
    peer.setScreen(null);
    assert.equal(connection.transceivers[2]?.direction, "recvonly");
  }
});

test("a screen that the other side puts on the m-line of ours is shown as one, also when ours has ended", async () => {
  const { peer, connection } = fakePeer({ polite: false });
  peer.setScreen(/** @type {any} */ (stream("video")));
  peer.setScreen(null);
  const shown = shownBy(peer);
  const [named, screen] = [new MediaStream(), track("video")];
  connection.ontrack({ track: screen, streams: [named], transceiver: connection.transceivers[2] });
  removeFrom(named, screen);
  assert.deepEqual(shown, ["screen: video", "screen: none"]);
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

test("a camera that was removed and comes back on another m-line is the camera; a screen meanwhile is a screen", async () => {
  const { peer, connection } = fakePeer({ polite: true });
  await peer.receive(description("offer", "other1", "audio", "video", "video", "video"));
  const shown = shownBy(peer);
  const [named, camera] = [new MediaStream(), track("video")];
  connection.ontrack({ track: camera, streams: [named], transceiver: connection.transceivers[1] });
  removeFrom(named, camera);
  connection.ontrack({ track: track("video"), streams: [new MediaStream()], transceiver: connection.transceivers[2] });
  connection.ontrack({ track: track("video"), streams: [named], transceiver: connection.transceivers[3] });
  assert.deepEqual(shown, ["stream: video", "stream: ", "screen: video", "stream: video"]);
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
