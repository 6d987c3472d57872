// How well each peer is connected: numbers from RTCPeerConnection.getStats(), a second at a time.

import { Events } from "./events.js";

/**
 * @typedef {import("./room.js").Room} Room
 *
 * @typedef {{ width: number, height: number, framesPerSecond: number }} Picture
 * @typedef {{ local: string, remote: string, protocol: string }} Path the types of both candidates
 *
 * @typedef {object} Sample
 * @property {number} at milliseconds since 1970
 * @property {number | null} roundTripMs
 * @property {number | null} lossDown part of the packets that were sent to us and never came, 0 to 1
 * @property {number | null} lossUp the same of ours, as the other side tells
 * @property {number} bitsDown per second
 * @property {number} bitsUp per second
 * @property {Picture | null} camera that comes in
 * @property {Picture | null} screen that comes in
 * @property {Picture | null} sent of our camera
 * @property {Path | null} path
 * @property {boolean | null} relayed null while there is no path
 */

/** @extends {Events<{ sample: { clientId: string, sample: Sample }, sampled: {} }>} sampled: once a round, after the last sample */
export class StatsSampler extends Events {
  #room;
  #intervalMs;
  #keep;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {Map<string, RTCStatsReport>} */
  #reports = new Map();
  /** @type {Map<string, Sample[]>} */
  #histories = new Map();
  /** @type {WeakSet<object>} peers that have not answered yet */
  #asked = new WeakSet();

  /** @param {Room} room @param {{ intervalMs?: number, keep?: number }} options */
  constructor(room, { intervalMs = 1_000, keep = 60 } = {}) {
    super();
    this.#room = room;
    this.#intervalMs = intervalMs;
    this.#keep = keep;
    room.on("mate-left", ({ clientId }) => {
      this.#reports.delete(clientId);
      this.#histories.delete(clientId);
    });
  }

  start() {
    this.#timer ??= setInterval(() => this.#sampleAll(), this.#intervalMs);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    // A sample must not span the pause.
    this.#reports.clear();
  }

  /** @param {string} clientId @returns {readonly Sample[]} oldest first */
  history(clientId) {
    return this.#histories.get(clientId) ?? [];
  }

  async #sampleAll() {
    await Promise.all([...this.#room.mates.keys()].map((clientId) => this.#sample(clientId)));
    this.emit("sampled", {});
  }

  /** @param {string} clientId */
  async #sample(clientId) {
    const peer = this.#room.mates.get(clientId)?.peer;
    if (!peer || this.#asked.has(peer)) return;
    this.#asked.add(peer);
    // A connection that does not tell leaves a gap.
    const report = await peer.getStats().catch(() => null);
    this.#asked.delete(peer);
    // Somebody may have left, or sampling stopped, meanwhile.
    if (!report || this.#room.mates.get(clientId)?.peer !== peer || this.#timer === undefined) return;
    const before = this.#reports.get(clientId) ?? null;
    this.#reports.set(clientId, report);
    if (!before) return;
    const sample = summarize(before, report, peer.cameraMid);
    const history = this.#histories.get(clientId) ?? [];
    this.#histories.set(clientId, [...history, sample].slice(-this.#keep));
    this.emit("sample", { clientId, sample });
  }
}

/**
 * @param {RTCStatsReport} before
 * @param {RTCStatsReport} now
 * @param {string | null} cameraMid which m-line is the cameras'
 * @returns {Sample}
 */
export function summarize(before, now, cameraMid) {
  const inbound = entries(now, "inbound-rtp");
  const outbound = entries(now, "outbound-rtp");
  const pair = selectedPair(now);
  const path = pathIn(now);
  const videos = inbound.filter(({ kind }) => kind === "video");
  const ownVideos = outbound.filter(({ kind }) => kind === "video");
  return {
    at: Math.round(pair?.timestamp ?? Date.now()),
    roundTripMs: typeof pair?.currentRoundTripTime === "number" ? pair.currentRoundTripTime * 1_000 : null,
    lossDown: lossOf(before, inbound),
    lossUp: lossTold(now),
    bitsDown: rateOf(before, inbound, "bytesReceived"),
    bitsUp: rateOf(before, outbound, "bytesSent"),
    camera: pictureOf(before, videos.find(({ mid }) => mid === cameraMid), "framesDecoded"),
    screen: pictureOf(before, videos.find(({ mid }) => mid !== cameraMid), "framesDecoded"),
    sent: pictureOf(before, ownVideos.find(({ mid }) => mid === cameraMid), "framesEncoded"),
    path,
    relayed: path && (path.local === "relay" || path.remote === "relay"),
  };
}

/** Which way media go. @param {RTCStatsReport} report @returns {Path | null} */
export function pathIn(report) {
  const pair = selectedPair(report);
  return pair && pathOf(report, pair);
}

/** @param {RTCStatsReport} report @param {string} type @returns {any[]} */
function entries(report, type) {
  /** @type {any[]} */
  const found = [];
  report.forEach((entry) => {
    if (entry.type === type) found.push(entry);
  });
  return found;
}

/** @param {RTCStatsReport} report @returns {any} */
function selectedPair(report) {
  const [transport] = entries(report, "transport").filter(({ selectedCandidatePairId }) => selectedCandidatePairId);
  if (transport) return report.get(transport.selectedCandidatePairId) ?? null;
  // Firefox has no transport, and marks the pair.
  return entries(report, "candidate-pair").find(({ nominated, state }) => nominated && state === "succeeded") ?? null;
}

/** @param {RTCStatsReport} report @param {any} pair @returns {Path | null} */
function pathOf(report, pair) {
  const local = report.get(pair.localCandidateId);
  const remote = report.get(pair.remoteCandidateId);
  if (!local || !remote) return null;
  return { local: local.candidateType, remote: remote.candidateType, protocol: local.protocol };
}

/** @param {RTCStatsReport} before @param {any[]} inbound */
function lossOf(before, inbound) {
  let [lost, received] = [0, 0];
  for (const entry of inbound) {
    const earlier = before.get(entry.id);
    lost += entry.packetsLost - (earlier?.packetsLost ?? 0);
    received += entry.packetsReceived - (earlier?.packetsReceived ?? 0);
  }
  // Late packets are first lost and then found, which makes the difference negative.
  lost = Math.max(0, lost);
  return lost + received > 0 ? lost / (lost + received) : null;
}

/** @param {RTCStatsReport} now */
function lossTold(now) {
  const told = entries(now, "remote-inbound-rtp").map(({ fractionLost }) => fractionLost);
  const numbers = told.filter((fraction) => typeof fraction === "number");
  return numbers.length > 0 ? Math.max(...numbers) : null;
}

/** @param {RTCStatsReport} before @param {any[]} streams @param {string} counter */
function rateOf(before, streams, counter) {
  let bits = 0;
  for (const entry of streams) {
    const earlier = before.get(entry.id);
    const seconds = (entry.timestamp - (earlier?.timestamp ?? NaN)) / 1_000;
    if (seconds > 0) bits += Math.max(0, (8 * (entry[counter] - earlier[counter])) / seconds);
  }
  return Math.round(bits);
}

/** @param {RTCStatsReport} before @param {any} entry @param {string} counter @returns {Picture | null} */
function pictureOf(before, entry, counter) {
  const earlier = entry && before.get(entry.id);
  const frames = earlier ? entry[counter] - earlier[counter] : 0;
  // A stream that stopped keeps its last size.
  if (!entry?.frameWidth || frames <= 0) return null;
  const seconds = (entry.timestamp - earlier.timestamp) / 1_000;
  return { width: entry.frameWidth, height: entry.frameHeight, framesPerSecond: Math.round(frames / seconds) };
}
