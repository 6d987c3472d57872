import assert from "node:assert/strict";
import { test } from "node:test";

import { ROOM, fakeRoom, member } from "./fake-room.js";
import { WELCOME } from "./fakes.js";

const [PUBLIC, FIRST, SECOND] = ["stun:public.test", "turn:first.test", "turn:second.test"].map((urls) => [{ urls }]);

/** @param {{ welcome?: RTCIceServer[], joined?: RTCIceServer[] }} told */
function sit({ welcome = [], joined }) {
  const fake = fakeRoom({ connect: false });
  fake.link.connect();
  fake.lastSocket().serverSays({ ...WELCOME, iceServers: welcome });
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  const [, { requestId }] = fake.lastSocket().sent;
  fake.lastSocket().serverSays({
    type: "joined", roomId: "standup", members: ["bob"], peers: [member("bob")], room: ROOM, requestId,
    ...(joined && { iceServers: joined }),
  });
  return fake;
}

test("connections go by the ICE servers of `joined`, and by those of `welcome` where it has none", () => {
  for (const [told, used] of /** @type {const} */ ([
    [{}, []],
    [{ welcome: PUBLIC }, PUBLIC],
    [{ joined: FIRST }, FIRST],
    [{ welcome: PUBLIC, joined: FIRST }, FIRST],
  ])) {
    const { peers } = sit(told);
    assert.deepEqual(peers.map(({ options }) => options.iceServers), [used]);
  }
});

test("ICE servers that are told later are for who is there, and who comes", () => {
  const { lastSocket, peers } = sit({ joined: FIRST });
  lastSocket().serverSays({ type: "ice-servers", iceServers: SECOND });
  lastSocket().serverSays({ type: "user-joined", ...member("cid") });
  const [bob, cid] = peers;
  assert.deepEqual(bob?.calls.filter(([what]) => what === "ice"), [["ice", SECOND]]);
  assert.deepEqual(cid?.options.iceServers, SECOND);
  assert.deepEqual(cid?.calls.filter(([what]) => what === "ice"), []);
});
