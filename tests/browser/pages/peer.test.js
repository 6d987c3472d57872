import assert from "node:assert/strict";
import { test } from "node:test";

import { useServerAndBrowser } from "./harness.js";
import { openParts } from "./peer-parts.js";

/** @typedef {import("./peer-parts.js").Parts} Parts */

const setup = useServerAndBrowser();

test("two peers of a real browser renegotiate at once, again and again: always stable, connected, no fault", async () => {
  const page = await openParts(setup);
  const outcome = await page.evaluate(async () => {
    const { Peer, Connection, connections } = /** @type {Parts} */ (Reflect.get(window, "parts"));
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

    const quiet = () => new Promise((resolve, reject) => {
      const deadline = performance.now() + 10_000;
      const look = () => {
        const states = connections.map(({ signalingState, connectionState }) => `${signalingState} ${connectionState}`);
        if (inFlight === 0 && states.every((state) => state === "stable connected")) resolve(undefined);
        else if (performance.now() > deadline) reject(new Error(`never quiet: ${inFlight} in flight, ${states}, ${faults}`));
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
      // Of one alone: the other's offer may answer a need before it is told.
      await Promise.race(connections.map((connection) =>
        new Promise((resolve) => connection.addEventListener("negotiationneeded", resolve, { once: true }))));
    }
    await quiet();
    return { faults, offers, rounds };
  });
  assert.deepEqual(outcome.faults, []);
  assert.ok(outcome.offers > outcome.rounds, `only ${outcome.offers} offers: hardly a collision`);
});

for (const screenSlots of [true, false]) {
  test(`both sides share a screen, then look for a new path, at once, ${screenSlots ? "with" : "without"} slots: all pictures go on`, async () => {
    const page = await openParts(setup);
    const outcome = await page.evaluate(async (screenSlots) => {
      const { Peer, Connection, connections } = /** @type {Parts} */ (Reflect.get(window, "parts"));
      const stream = await navigator.mediaDevices.getUserMedia({ video: true });
      /** @type {string[]} */
      const faults = [];
      /** @type {string[]} */
      const sent = [];
      // Videos below the fold are paused.
      document.body.replaceChildren();
      /** @param {MediaStream | null} stream */
      const show = (stream) => {
        if (!stream || videos.some(({ srcObject }) => srcObject === stream)) return;
        const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true, width: 160, height: 90 });
        video.srcObject = stream;
        document.body.append(video);
        videos.push(video);
      };
      /** @type {HTMLVideoElement[]} */
      const videos = [];
      const sides = [true, false].map((polite) => {
        /** @type {InstanceType<typeof Peer>} */
        const peer = new Peer({
          polite, iceServers: [], stream, screenSlots,
          send: (signal) => {
            if (signal.type !== "candidate") sent.push(signal.type);
            const message = { fromId: "other", fromUserId: null, ...JSON.parse(JSON.stringify(signal)) };
            setTimeout(() => sides[polite ? 1 : 0].receive(message), 2);
          },
        }, Connection);
        peer.on("fault", (fault) => faults.push(String(fault)));
        peer.on("stream", show);
        peer.on("screen", show);
        return peer;
      });
      // Decoded is not shown: what counts is what reaches the screen.
      const frames = () => videos.map((video) => video.getVideoPlaybackQuality().totalVideoFrames);
      /** Whether so many pictures are there, and move. @param {number} count */
      const allMove = async (count) => {
        const deadline = performance.now() + 10_000;
        while (videos.length < count && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
        const before = frames();
        while (performance.now() < deadline) {
          if (before.length === count && frames().every((shown, index) => shown > before[index] + 5)) return true;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        return false;
      };
      const moved = [await allMove(2)];
      let collisions = 0;
      for (const peer of sides) {
        peer.setScreen(stream.clone());
        peer.setSharing(true);
      }
      moved.push(await allMove(4));
      for (let round = 0; round < 2; round++) {
        sent.length = 0;
        for (const peer of sides) peer.restart();
        const deadline = performance.now() + 10_000;
        while (!sent.includes("answer")) {
          if (performance.now() > deadline) throw new Error(`no answer in round ${round}: ${sent}, ${connections.map(({ signalingState }) => signalingState)}`);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        if (sent.filter((type) => type === "offer").length === 2) collisions++;
        moved.push(await allMove(4));
      }
      const bitrates = connections.map((connection) => connection.getSenders()
        .find(({ track }) => track?.kind === "video")?.getParameters().encodings[0].maxBitrate);
      return { moved, collisions, faults, bitrates };
    }, screenSlots);
    assert.ok(outcome.collisions > 0);
    assert.ok(outcome.moved.every(Boolean), `a picture stands still: ${outcome.moved}`);
    assert.deepEqual(outcome.faults, []);
    assert.deepEqual(outcome.bitrates, [2_000_000, 2_000_000], "a rollback must not lift the budget");
  });
}
