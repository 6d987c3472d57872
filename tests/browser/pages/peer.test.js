import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, openPage, startServer } from "./harness.js";

/** @type {import("./harness.js").Server} */
let server;
/** @type {import("./harness.js").Browser} */
let browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("two peers of a real browser renegotiate at once, again and again: always stable, connected, no fault", async () => {
  const { page, problems } = await openPage(browser, server.url);
  const outcome = await page.evaluate(async () => {
    // A path that only the page knows; the type checker must not look for it.
    const path = "/peer.js";
    /** @type {typeof import("../../../client/peer.js")} */
    const { Peer } = await import(path);
    /** @type {RTCPeerConnection[]} */
    const connections = [];
    class Connection extends RTCPeerConnection {
      /** @param {RTCConfiguration} [configuration] */
      constructor(configuration) {
        super(configuration);
        connections.push(this);
      }
    }
    /** @type {string[]} */
    const faults = [];
    const stream = document.createElement("canvas").captureStream(5);
    let inFlight = 0;
    let offers = 0;
    /** @param {boolean} polite @returns {InstanceType<typeof Peer>} */
    const makePeer = (polite) => {
      const peer = new Peer({
        polite,
        iceServers: [],
        stream,
        send: (signal) => {
          inFlight++;
          if (signal.type === "offer") offers++;
          const message = { fromId: "other", fromUserId: null, ...JSON.parse(JSON.stringify(signal)) };
          setTimeout(() => (polite ? impolitePeer : politePeer).receive(message).finally(() => inFlight--), 2);
        },
      }, Connection);
      peer.on("fault", (fault) => faults.push(String(fault)));
      return peer;
    };
    const politePeer = makePeer(true);
    const impolitePeer = makePeer(false);

    const quiet = () => new Promise((resolve) => {
      const look = () => {
        const calm = inFlight === 0 &&
          connections.every(({ signalingState, connectionState }) => signalingState === "stable" && connectionState === "connected");
        if (calm) resolve(undefined);
        else setTimeout(look, 5);
      };
      look();
    });
    const rounds = 15;
    for (let round = 0; round < rounds; round++) {
      await quiet();
      for (const connection of connections) {
        if (round % 2) connection.restartIce();
        else connection.addTransceiver("video");
      }
      await Promise.all(connections.map((connection) =>
        new Promise((resolve) => connection.addEventListener("negotiationneeded", resolve, { once: true }))));
    }
    await quiet();
    return { faults, offers, rounds };
  });
  assert.deepEqual(outcome.faults, []);
  assert.ok(outcome.offers > outcome.rounds, `only ${outcome.offers} offers: hardly a collision`);
  assert.deepEqual(problems, []);
});
