// A Peer over a FakeConnection, and what the other side sends it.

import { afterEach, mock } from "node:test";

import { Peer } from "../../../client/protocol/peer.js";
import { FakeConnection, present } from "./fakes.js";

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
export function fakePeer({ polite, stream = null, screen, screenSlots = false, name = "own", iceServers = [] }) {
  /** @type {any[]} */
  const sent = [];
  /** @type {unknown[]} */
  const faults = [];
  /** @type {FakeConnection | undefined} */
  let connection;
  class Connection extends FakeConnection {
    /** @param {RTCConfiguration} configuration */
    constructor(configuration) {
      super(name, { iceTransportPolicy: "relay", ...configuration });
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
export const track = (kind) => ({ kind, getSettings: () => ({ height: 720 }) });
/** @param {...string} kinds */
export const stream = (...kinds) => ({ getTracks: () => kinds.map(track) });
// Node has no media; the peer only collects tracks in it.
Object.assign(globalThis, {
  MediaStream: class extends EventTarget {
    id = crypto.randomUUID();
    /** @type {object[]} */
    tracks = [];
    getTracks = () => this.tracks;
    addTrack = (/** @type {object} */ track) => void this.tracks.push(track);
    removeTrack = (/** @type {object} */ track) => void this.tracks.splice(this.tracks.indexOf(track), 1);
  },
});
/** What is sent on each m-line. @param {FakeConnection} connection */
export const lines = ({ transceivers }) => transceivers.map(({ receiver, direction, sender }) =>
  [receiver.track.kind, direction, sender.track?.kind ?? null]);

/** @param {string} fragment */
export const sdp = (fragment) => `v=0\r\na=ice-ufrag:${fragment}\r\n`;
/** @param {"offer" | "answer"} type @param {string} fragment @param {string[]} kinds of m-lines */
export const description = (type, fragment, ...kinds) => ({
  type, fromId: "other", fromUserId: null, sdp: { type, sdp: sdp(fragment) + kinds.map((kind) => `m=${kind}\r\n`).join("") },
});
/** @param {object | null} value */
export const candidate = (value) => ({ type: /** @type {const} */ ("candidate"), fromId: "other", candidate: value });
