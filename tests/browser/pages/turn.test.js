import assert from "node:assert/strict";
import { after, test } from "node:test";

import { makeCredentials, startCoturn } from "./coturn.js";
import { join, seesMoving, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const TTL_SECONDS = 60;

const coturn = await startCoturn();
after(() => coturn.stop());
const setup = useServerAndBrowser({
  args: ["--ice-server", coturn.url, "--turn-secret-file", coturn.secretFile, "--turn-ttl", String(TTL_SECONDS)],
});

/** A page that reaches others over a relay or not at all. */
async function openRelayed() {
  const { page } = await setup.open("about:blank");
  await page.addInitScript(() => {
    /** @type {RTCPeerConnection[]} */
    const connections = [];
    Object.assign(window, { connections });
    window.RTCPeerConnection = class extends RTCPeerConnection {
      /** @param {RTCConfiguration} [configuration] */
      constructor(configuration) {
        super({ ...configuration, iceTransportPolicy: "relay" });
        connections.push(this);
      }
    };
  });
  await page.goto(setup.server.url);
  return page;
}

/**
 * The page's only connection: the credentials that it goes by, the types of both candidates in use, and what it has
 * decoded.
 * @param {Page} page
 */
function look(page) {
  return page.evaluate(async () => {
    const { connections } = /** @type {{ connections: RTCPeerConnection[] }} */ (/** @type {any} */ (window));
    const open = connections.filter(({ connectionState }) => connectionState !== "closed");
    const [{ username, credential } = {}] = open[0].getConfiguration().iceServers ?? [];
    /** @type {any[]} */
    const entries = [...(await open[0].getStats()).values()];
    const byId = new Map(entries.map((entry) => [entry.id, entry]));
    const pair = byId.get(entries.find(({ type }) => type === "transport")?.selectedCandidatePairId);
    const types = pair && [pair.localCandidateId, pair.remoteCandidateId].map((id) => byId.get(id).candidateType);
    const pictures = entries.filter(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    return {
      count: open.length,
      username: username ?? "",
      credential,
      types,
      relay: pair && byId.get(pair.localCandidateId).port,
      framesDecoded: pictures.reduce((sum, { framesDecoded }) => sum + framesDecoded, 0),
    };
  });
}

/**
 * What the TURN server answers to these credentials.
 * @param {Page} page
 * @param {{ username: string, credential: string }} credentials
 */
function gather(page, credentials) {
  return page.evaluate(async ({ url, credentials }) => {
    const connection = new RTCPeerConnection({ iceServers: [{ urls: url, ...credentials }], iceTransportPolicy: "relay" });
    /** @type {string[]} */
    const types = [];
    /** @type {number[]} */
    const errors = [];
    connection.onicecandidate = ({ candidate }) => candidate?.type && types.push(candidate.type);
    connection.onicecandidateerror = ({ errorCode }) => errors.push(errorCode);
    connection.createDataChannel("");
    const done = new Promise((resolve) => connection.onicegatheringstatechange = () =>
      connection.iceGatheringState === "complete" && resolve(null));
    await connection.setLocalDescription();
    await done;
    connection.close();
    return { types: [...new Set(types)], errors: [...new Set(errors)] };
  }, { url: coturn.url, credentials });
}

test("pictures go over the relay by the credentials of `joined`, and go on by others when those have ended", async () => {
  const pages = [await openRelayed(), await openRelayed()];
  for (const page of pages) await join(page, "relayed");
  await Promise.all(pages.map((page) => seesMoving(page, 1)));
  const first = await Promise.all(pages.map(look));
  for (const { username, types } of first) {
    assert.deepEqual(types, ["relay", "relay"]);
    assert.ok(coturn.relayedFor.has(username), `${username} of its own: ${[...coturn.relayedFor]}`);
  }
  assert.notEqual(first[0].username.split(":")[1], first[1].username.split(":")[1]);

  const ends = Math.max(...first.map(({ username }) => parseInt(username))) * 1_000;
  await new Promise((resolve) => setTimeout(resolve, ends + 2_000 - Date.now()));
  const then = await Promise.all(pages.map(look));
  await Promise.all(pages.map((page) => seesMoving(page, 1)));
  for (const [index, now] of (await Promise.all(pages.map(look))).entries()) {
    const before = first[index];
    assert.deepEqual([now.count, now.types], [1, ["relay", "relay"]], "the connection is the same one, and relayed");
    assert.ok(parseInt(now.username) * 1_000 > Date.now() && now.credential !== before.credential, now.username);
    assert.ok(coturn.relayedFor.has(now.username), `${now.username}: ${[...coturn.relayedFor]}`);
    assert.notEqual(now.relay, before.relay, "another relay than that of the old credentials");
    // What a browser counts is a moment old.
    let { framesDecoded } = now;
    while (framesDecoded <= then[index].framesDecoded) ({ framesDecoded } = await look(pages[index]));
  }
});

test("credentials that have ended, or are another secret's, get no relay", async () => {
  const { page } = await setup.open(setup.server.url);
  const [short, long] = [await makeCredentials(coturn.secretFile, { ttl: 1 }), await makeCredentials(coturn.secretFile)];
  await new Promise((resolve) => setTimeout(resolve, (parseInt(short.username) + 1) * 1_000 - Date.now()));
  assert.deepEqual(await gather(page, long), { types: ["relay"], errors: [] });
  assert.deepEqual(await gather(page, short), { types: [], errors: [401] });
  // Whoever moves the end without the secret.
  assert.deepEqual(await gather(page, { ...short, username: long.username }), { types: [], errors: [401] });
});
