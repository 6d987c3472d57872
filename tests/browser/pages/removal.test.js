// A server whose administrator removes people, bans them and ends rooms, played between the page and the real one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { join, seesTiles, useServerAndBrowser } from "./harness.js";

/**
 * @typedef {import("playwright-core").Page} Page
 * @typedef {import("playwright-core").WebSocketRoute} WebSocketRoute
 */

const setup = useServerAndBrowser();
const REMOVED = { type: "removed", code: "removed", reason: "Removed by an administrator", roomId: "yard" };
/** Longer than the first back-off. */
const A_WHILE_MS = 1_500;

for (const [code, reason, words] of [
  ["removed", REMOVED.reason, "An administrator removed you from the room."],
  ["banned", "<b>Be</b> kind", "An administrator or a host banned you, or the network you come from. Reason: <b>Be</b> kind"],
]) {
  test(`${code} without a close leads to the lobby, with words, and back only by the person`, async () => {
    const { page, sockets, asked } = await openBehind();
    await join(page, "yard");
    say(sockets[0], { ...REMOVED, code, reason });
    await page.locator("#error", { hasText: words }).waitFor();
    assert.equal(await page.locator("#error").textContent(), words);
    assert.ok(await page.locator("#call").isHidden());
    await passes(A_WHILE_MS);
    assert.deepEqual([sockets.length, asked("join")], [1, 1]);
    assert.equal(await page.locator("#link-state").textContent(), "");
    await page.locator("#join").click();
    await page.locator("#leave").waitFor();
    assert.deepEqual([sockets.length, asked("join")], [1, 2]);
  });
}

for (const [close, code, words] of /** @type {const} */ ([
  [4501, "banned", "An administrator or a host banned you, or the network you come from."],
  [4502, "room-closed", "The room was closed."],
  [4599, null, "The server ended the connection."],
])) {
  test(`closed with ${close}, the page waits in the lobby, with words in its language, until people press Join`, async () => {
    const { page, sockets } = await openBehind();
    await join(page, "yard");
    if (code) say(sockets[0], { ...REMOVED, code, reason: "An administrator ended the room" });
    await sockets[0].close({ code: close });
    await page.locator("#error", { hasText: words }).waitFor();
    assert.equal(await page.locator("#error").textContent(), words);
    await passes(A_WHILE_MS);
    assert.equal(sockets.length, 1);
    assert.ok(await page.locator("#link-banner").isHidden());
    await page.locator("#lobby-language").click();
    await page.locator("#error", { hasText: /^\p{Script=Han}/u }).waitFor();
    await page.locator("#join").click();
    await page.locator("#leave").waitFor();
    assert.equal(sockets.length, 2);
  });
}

test("a ban that is met on connecting shows in the lobby, and each try is the person's", async () => {
  let banned = true;
  const { page, sockets } = await openBehind((socket, server) => {
    if (!banned) return;
    server.onMessage(async (text) => {
      socket.send(text);
      say(socket, { ...REMOVED, code: "banned", reason: "Until Monday", roomId: null });
      await socket.close({ code: 4501 });
    });
  });
  const error = page.locator("#error", { hasText: /banned you.* Reason: Until Monday$/ });
  await error.waitFor();
  await page.locator("#room").fill("yard");
  await page.locator("#join").click();
  await error.waitFor();
  await page.locator("#join", { hasText: /^Join$/ }).waitFor();
  await passes(A_WHILE_MS);
  assert.equal(sockets.length, 2);
  banned = false;
  await page.locator("#join").click();
  await page.locator("#leave").waitFor();
  assert.equal(sockets.length, 3);
});

test("a reason of one long word, which a ban refuses a join with, stays within a narrow lobby", async () => {
  const { page } = await openBehind((socket, server) => {
    socket.onMessage((text) => {
      const { type, requestId } = JSON.parse(String(text));
      if (type !== "join") return server.send(text);
      say(socket, { type: "join-error", code: "banned", error: "x".repeat(256), requestId });
    });
  });
  await page.setViewportSize({ width: 360, height: 800 });
  await page.locator("#room").fill("yard");
  await page.locator("#join").click();
  await page.locator("#error", { hasText: /banned you.* Reason: x{256}$/ }).waitFor();
  const right = await page.locator("#error").evaluate((line) => line.getBoundingClientRect().right);
  assert.ok(right <= 360, `it ends at ${right}`);
});

test("those who stay read why somebody went", async () => {
  const { page: ann, sockets } = await openBehind();
  const { page: bob } = await openBehind();
  await join(ann, "yard", "Ann");
  await join(bob, "yard", "Bob");
  await seesTiles(ann, 1);
  const clientId = await ann.locator(".tile:not(.local)").getAttribute("data-client-id");
  say(sockets[0], { type: "user-left", userId: null, clientId, reason: "removed" });
  await ann.locator("#notices", { hasText: "Bob was removed" }).waitFor();
  await seesTiles(ann, 0);
});

/**
 * The page with its WebSockets led through `between`; what that leaves alone passes.
 * @param {(page: WebSocketRoute, server: WebSocketRoute) => void} between
 */
async function openBehind(between = () => {}) {
  const { page } = await setup.open(setup.server.url, { remembered: { cameraOn: false } });
  /** @type {WebSocketRoute[]} */
  const sockets = [];
  /** @type {string[]} */
  const types = [];
  await page.routeWebSocket(/\/ws$/, (socket) => {
    sockets.push(socket);
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      types.push(JSON.parse(String(text)).type);
      server.send(text);
    });
    between(socket, server);
  });
  await page.reload();
  return { page, sockets, asked: (/** @type {string} */ type) => types.filter((each) => each === type).length };
}

/** @param {WebSocketRoute} socket @param {object} message */
function say(socket, message) {
  socket.send(JSON.stringify(message));
}

/** @param {number} durationMs */
function passes(durationMs) {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
