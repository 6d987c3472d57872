// Calls as large as they get, by our own client without a browser: 50 rooms of client/protocol over real WebSockets.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Peer } from "../../../client/protocol/peer.js";
import { Room } from "../../../client/protocol/room.js";
import { SignalingLink } from "../../../client/protocol/signaling.js";
import { startServer } from "../pages/harness.js";
// For its MediaStream, too.
import { stream } from "../unit/fake-peer.js";
import { RealisticConnection } from "./realistic-connection.js";

/** @typedef {import("../../../client/protocol/messages.js").ServerMessage} ServerMessage */

const MEMBERS = 50;
const PATIENCE_MS = 60_000;

/** @type {import("../pages/harness.js").Server} */
let server;
before(async () => (server = await startServer(["--max-members", String(MEMBERS)])));
after(() => server.stop());

test("50 join a call at once, under the default limits: every two of them negotiate, and nobody is held up", async (t) => {
  const began = performance.now();
  const members = Array.from({ length: MEMBERS }, () => new Member("large"));
  await Promise.all(members.map(({ joined }) => joined));
  const joinedMs = performance.now() - began;
  await Promise.all(members.map(({ connected }) => connected));
  const [messages, kilobytes] = [
    Math.max(...members.map(({ messages }) => messages)), Math.max(...members.map(({ bytes }) => bytes)) / 1000,
  ];
  t.diagnostic(
    `joined after ${joinedMs.toFixed()} ms, connected after ${(performance.now() - began).toFixed()} ms; ` +
      `one member said at most ${messages} messages, ${kilobytes.toFixed()} kB`);

  for (const member of members) {
    assert.deepEqual(member.hindrances, []);
    assert.equal(member.connections.length, MEMBERS - 1, "each other member is met once");
    for (const connection of member.connections) {
      assert.ok(connection.localDescription && connection.remoteDescription);
      assert.equal(connection.signalingState, "stable");
      assert.equal(connection.candidates.length, connection.sentCandidates, "the others' candidates, as many as one's own");
    }
  }
  const offers = members.flatMap(({ connections }) => connections).filter(({ localDescription }) => localDescription?.type === "offer");
  assert.equal(offers.length, (MEMBERS * (MEMBERS - 1)) / 2);
  for (const member of members) member.leave();
});

/** Somebody in a call, and what got in the way. */
class Member {
  /** @type {RealisticConnection[]} */
  connections = [];
  /** @type {unknown[]} */
  hindrances = [];
  messages = 0;
  bytes = 0;
  #link = new SignalingLink(`${server.url.replace("http", "ws")}/ws`, this.#surroundings());
  #room = new Room(this.#link, (options) => this.#makePeer(options));

  /** @param {string} roomId */
  constructor(roomId) {
    this.#link.on("state", (state) => {
      if (!["connecting", "online", "idle"].includes(state.phase)) this.hindrances.push(state);
    });
    for (const name of /** @type {const} */ (["refused", "ended"])) this.#room.on(name, ({ cause }) => this.hindrances.push(cause));
    this.joined = this.#until("joined", () => true);
    this.connected = this.#until("state", () => this.#countConnected() === MEMBERS - 1);
    this.#link.connect();
    this.#room.join({ roomId, displayName: "Somebody with a name", stream: /** @type {any} */ (stream("audio", "video")) });
  }

  /** Those of a browser, and all that passes counted: the link itself puts up with a join that is put off. */
  #surroundings() {
    const member = this;
    class Socket extends WebSocket {
      /** @param {string} url */
      constructor(url) {
        super(url);
        this.addEventListener("message", ({ data }) => {
          const message = JSON.parse(data);
          if ("code" in message) member.hindrances.push(message);
        });
      }

      /** @param {string} text */
      send(text) {
        member.messages++;
        member.bytes += text.length;
        super.send(text);
      }
    }
    return {
      WebSocket: Socket, setTimeout, clearTimeout, now: () => performance.now(), random: Math.random,
      isOnline: () => true, onNetworkChange: () => () => {},
    };
  }

  leave() {
    this.#room.close();
    this.#link.close();
  }

  /** @param {import("../../../client/protocol/peer.js").PeerOptions} options */
  #makePeer(options) {
    const { connections } = this;
    class Connection extends RealisticConnection {
      constructor() {
        super();
        connections.push(this);
      }
    }
    const peer = new Peer(options, /** @type {any} */ (Connection));
    peer.on("fault", (fault) => this.hindrances.push(fault));
    return peer;
  }

  #countConnected() {
    return [...this.#room.mates.values()].filter(({ peer }) => peer.state === "connected").length;
  }

  /** @param {"joined" | "state"} name @param {() => boolean} isSo */
  #until(name, isSo) {
    return new Promise((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`${name}: ${this.#countConnected()} of ${MEMBERS - 1} connected; ${JSON.stringify(this.hindrances)}`)), PATIENCE_MS);
      const end = this.#room.on(name, () => {
        if (!isSo()) return;
        clearTimeout(patience);
        end();
        resolve(undefined);
      });
    });
  }
}
