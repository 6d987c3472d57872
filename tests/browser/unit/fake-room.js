// A Room over a fake link, with peers that only keep what they are told.

import { afterEach, mock } from "node:test";

import { Events } from "../../../client/protocol/events.js";
import { Room } from "../../../client/protocol/room.js";
import { WELCOME, fakeLink, settled } from "./fakes.js";

afterEach(() => mock.timers.reset());

export const ROOM = { locked: false, maxMembers: 10, metadata: {}, hasPassword: false, lobby: false };
/** @param {string} clientId */
export const member = (clientId) => ({ clientId, userId: null, displayName: null, metadata: null });

/** @extends {Events<any>} */
class FakePeer extends Events {
  closed = false;
  /** @type {any[]} */
  calls = [];
  /** @type {any[]} */
  received = [];

  /** @param {import("../../../client/protocol/peer.js").PeerOptions} options */
  constructor(options) {
    super();
    this.options = options;
  }

  setIceServers = (/** @type {any[]} */ iceServers) => this.calls.push(["ice", iceServers]);
  setTrack = (/** @type {any[]} */ ...call) => this.calls.push(["track", ...call]);
  setScreen = (/** @type {any} */ stream) => this.calls.push(["screen", stream]);
  setSharing = (/** @type {boolean} */ sharing) => this.calls.push(["sharing", sharing]);
  setPeerCount = (/** @type {number} */ count) => this.calls.push(["count", count]);

  /** @param {any} signal */
  receive(signal) {
    this.received.push(signal);
  }

  close() {
    this.closed = true;
  }
}

/** @param {{ connect?: boolean, unsupported?: boolean }} [options] */
export function fakeRoom({ connect = true, unsupported = false } = {}) {
  const fake = fakeLink();
  /** @type {FakePeer[]} */
  const peers = [];
  const room = new Room(fake.link, (options) => {
    if (unsupported) throw new ReferenceError("RTCPeerConnection is not defined");
    peers.push(new FakePeer(options));
    return /** @type {any} */ (peers.at(-1));
  });
  /** @type {any[]} */
  const events = [];
  for (const name of /** @type {const} */ ([
    "waiting", "joined", "refused", "ended", "token-refused", "mate-joined", "mate-left", "mate-updated", "room-updated",
  ])) {
    room.on(name, (/** @type {any} */ detail) =>
      events.push([name, detail.clientId ?? detail.cause?.code ?? detail.roomId ?? detail.locked]));
  }
  if (connect) {
    fake.link.connect();
    fake.lastSocket().serverSays(WELCOME);
  }
  return { room, peers, events, ...fake };
}

/** @param {ReturnType<typeof fakeRoom>} fake @param {string[]} others */
export function seat(fake, ...others) {
  fake.room.join({ roomId: "standup", displayName: "Ann", stream: null });
  grant(fake, ...others);
}

/** @param {ReturnType<typeof fakeRoom>} fake @param {string[]} others */
export function grant(fake, ...others) {
  grantAs(fake, {}, ...others);
}

/** @param {ReturnType<typeof fakeRoom>} fake @param {object} more of what `joined` says @param {string[]} others */
export function grantAs({ lastSocket }, more, ...others) {
  const [register, join] = lastSocket().sent.slice(-2);
  lastSocket().serverSays({ type: "registered", userId: "me", requestId: register.requestId });
  lastSocket().serverSays({
    type: "joined", roomId: join.roomId, members: others, peers: others.map(member), room: ROOM, requestId: join.requestId, ...more,
  });
}

/** @param {ReturnType<typeof fakeRoom>} fake @param {string} code */
export async function refuse({ lastSocket }, code) {
  const [register, join] = lastSocket().sent.slice(-2);
  lastSocket().serverSays({ type: "registered", userId: "me", requestId: register.requestId });
  lastSocket().serverSays({ type: "join-error", error: "", code, requestId: join.requestId });
  await settled();
}
