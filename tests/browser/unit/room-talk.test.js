import assert from "node:assert/strict";
import { test } from "node:test";

import { CHAT_LIMIT } from "../../../client/protocol/presence.js";
import { fakeRoom, grant, member, seat } from "./fake-room.js";
import { WELCOME, present, settled } from "./fakes.js";

/** @param {ReturnType<typeof fakeRoom>} fake @param {string} fromId @param {unknown} content */
function say(fake, fromId, content) {
  fake.lastSocket().serverSays({ type: "message", fromId, fromUserId: null, content });
}

/** @param {ReturnType<typeof fakeRoom>} fake */
const told = ({ lastSocket }) => lastSocket().sent.filter(({ type }) => type === "message");

test("presence is told to those who are there, to all when it changes, and to who comes later", () => {
  const fake = fakeRoom();
  fake.room.setPresence({ muted: true });
  seat(fake, "bob");
  fake.room.setPresence({ handRaised: true });
  fake.room.setPresence({ handRaised: true });
  fake.lastSocket().serverSays({ type: "user-joined", ...member("cid") });
  const state = { kind: "state", muted: true, cameraOff: false, handRaised: true, recording: false, sharing: false };
  assert.deepEqual(told(fake), [
    { type: "message", content: { ...state, handRaised: false } },
    { type: "message", content: state },
    { type: "message", targetId: "cid", content: state },
  ]);
});

test("one's own presence is told after it changed, once, and at the end of a visit too", () => {
  const fake = fakeRoom();
  /** @type {string[]} */
  const told = [];
  fake.room.on("own-presence", (presence) => {
    assert.equal(presence, fake.room.presence);
    told.push(Object.entries(presence).filter(([, is]) => is).map(([name]) => name).join("+"));
  });
  seat(fake, "bob");
  fake.room.setPresence({ muted: true });
  fake.room.setPresence({ muted: true });
  fake.room.setScreen(/** @type {any} */ ({}));
  fake.room.setPresence({ handRaised: true });
  fake.room.leave();
  assert.deepEqual(told, ["muted", "muted+sharing", "muted+handRaised+sharing", "muted"]);
});

test("the presence of a mate is read field by field; a stranger's, or another form, is none", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  const bob = present(fake.room.mates.get("bob"));
  for (const content of [null, 7, "state", [], { kind: "else" }, { kind: "chat", text: 7 }]) say(fake, "bob", content);
  assert.equal(bob.presence, null);
  say(fake, "bob", { kind: "state", muted: "yes", handRaised: true, sharing: 1, fromId: "cid", __proto__: { recording: true } });
  assert.deepEqual(bob.presence, { muted: false, cameraOff: false, handRaised: true, recording: false, sharing: false });
  assert.equal(typeof bob.handRaisedAt, "number");
  say(fake, "mallory", { kind: "state", recording: true });
  assert.equal(fake.room.mates.size, 1);
});

test("chat is attributed to who the server says it is from, and kept over a reconnect", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  say(fake, "bob", { kind: "chat", text: "hello", fromId: "cid", name: "Cid" });
  assert.equal(fake.room.say("<img onerror>"), true);
  say(fake, "mallory", { kind: "chat", text: "hello" });
  say(fake, "bob", { text: "from a simple client" });
  fake.lastSocket().serverCloses(1006);
  assert.equal(fake.room.say("lost"), false);
  fake.clock.pass(1_000);
  fake.lastSocket().serverSays({ ...WELCOME, clientId: "me again" });
  grant(fake);
  assert.deepEqual(fake.room.chat.map(({ own, fromId, text }) => [own, fromId, text]), [
    [false, "bob", "hello"], [true, "me", "<img onerror>"], [false, "bob", "from a simple client"],
  ]);
});

test("chat is still there when one leaves and enters the same room again, and not in another one", () => {
  const fake = fakeRoom();
  for (const [roomId, kept] of /** @type {const} */ ([["standup", []], ["standup", ["hello"]], ["other", []], ["standup", []]])) {
    fake.room.join({ roomId, displayName: "", stream: null });
    assert.deepEqual(fake.room.chat.map(({ text }) => text), kept);
    grant(fake);
    fake.room.say("hello");
    fake.room.leave();
    if (kept.length) assert.equal(fake.room.chat.length, 2);
  }
});

test("what one said counts as said when the server has handled it; refused, or lost with the link, it failed", async () => {
  const fake = fakeRoom();
  /** @type {string[]} */
  const failed = [];
  fake.room.on("chat-failed", ({ text }) => failed.push(text));
  seat(fake, "bob");
  /** @param {string} text */
  const saying = (text) => {
    fake.room.say(text);
    const [message, ping] = fake.lastSocket().sent.slice(-2);
    assert.deepEqual([message.content.text, ping.type], [text, "ping"]);
    return { message, pong: { type: "pong", requestId: ping.requestId } };
  };
  fake.lastSocket().serverSays(saying("handled").pong);
  const { message, pong } = saying("refused");
  fake.lastSocket().serverSays({ type: "error", code: "bad-message", message: "", requestId: message.requestId });
  fake.lastSocket().serverSays(pong);
  saying("lost");
  await settled();
  fake.lastSocket().serverCloses(1006);
  await settled();
  assert.deepEqual(failed, ["refused", "lost"]);
  assert.deepEqual(fake.room.chat.map(({ failed }) => failed), [false, true, true]);
});

test("text that is empty or too long is neither sent nor taken", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  for (const text of ["", "  ", "x".repeat(CHAT_LIMIT + 1)]) {
    assert.equal(fake.room.say(text), false);
    say(fake, "bob", { kind: "chat", text });
  }
  assert.deepEqual(fake.room.chat, []);
  assert.equal(fake.room.say("x".repeat(CHAT_LIMIT)), true);
});

test("tracks and screen reach those who are there and those who come, and each learns how many there are", () => {
  const fake = fakeRoom();
  seat(fake, "bob");
  const [track, screen] = [/** @type {any} */ ({ kind: "video" }), /** @type {any} */ ({})];
  fake.room.setTrack("camera", track);
  fake.room.setScreen(screen);
  assert.equal(fake.room.presence.sharing, true);
  fake.lastSocket().serverSays({ type: "user-joined", ...member("cid"), metadata: { screenSlots: true } });
  assert.deepEqual(fake.peers[0]?.calls, [["count", 1], ["track", "camera", track], ["screen", screen], ["count", 2]]);
  assert.deepEqual(fake.peers[1]?.calls, [["track", "camera", track], ["count", 2]]);
  assert.equal(fake.peers[1]?.options.screen, screen);
  assert.deepEqual(fake.peers.map(({ options }) => options.screenSlots), [false, true]);
});
