// A server that says "not so fast", played between the page and the real one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { useServerAndBrowser } from "./harness.js";

/** @typedef {import("playwright-core").WebSocketRoute} WebSocketRoute */

const setup = useServerAndBrowser();

test("a join that is put off shows as joining, not as a refusal, and leads into the room by itself", async () => {
  let putOff = 0;
  const { page } = await openBehind((socket, server) => {
    socket.onMessage((text) => {
      const { type, requestId } = JSON.parse(String(text));
      if (type !== "join" || putOff === 2) return server.send(text);
      putOff++;
      socket.send(JSON.stringify({ type: "join-error", code: "rate-limited", error: "Too often", retryAfterMs: 400, requestId }));
    });
  });
  await page.locator("#room").fill("busy");
  /** @type {string[]} */
  const errors = [];
  await page.exposeFunction("noteError", (/** @type {string} */ text) => errors.push(text));
  await page.evaluate(() => {
    const line = document.querySelector("#error");
    // @ts-expect-error: exposed above
    if (line) new MutationObserver(() => noteError(line.textContent)).observe(line, { childList: true, characterData: true, subtree: true });
  });
  await page.locator("#join").click();
  await page.locator("#join", { hasText: "Joining…" }).waitFor();
  await page.locator("#leave").waitFor();
  assert.equal(putOff, 2);
  assert.deepEqual(errors.filter(Boolean), []);
});

test("a join that is put off can be cancelled, and is not asked for again", async () => {
  let asked = 0;
  const { page } = await openBehind((socket, server) => {
    socket.onMessage((text) => {
      const { type, requestId } = JSON.parse(String(text));
      if (type !== "join") return server.send(text);
      asked++;
      socket.send(JSON.stringify({ type: "join-error", code: "rate-limited", error: "Too often", retryAfterMs: 100, requestId }));
    });
  });
  await page.locator("#room").fill("busy");
  await page.locator("#join").click();
  await page.locator("#cancel").click();
  const before = asked;
  // Longer than retryAfterMs and the first random while.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal(asked, before);
  assert.equal(await page.locator("#error").textContent(), "");
});

test("that the page's messages wait is no notice; closed for it, the page says so and waits", async () => {
  /** @type {WebSocketRoute[]} */
  const sockets = [];
  const { page } = await openBehind((socket) => void sockets.push(socket));
  await page.locator("#room").fill("loud");
  await page.locator("#join").click();
  await page.locator("#leave").waitFor();
  const [socket] = sockets;
  for (let second = 0; second < 5; second++) {
    socket.send(JSON.stringify({ type: "error", code: "rate-limited", message: "Too much", retryAfterMs: 250 }));
  }
  socket.send(JSON.stringify({ type: "broadcast", content: { text: "behind them" } }));
  await page.locator("#notices", { hasText: "behind them" }).waitFor();
  assert.equal(await page.locator("#notices p").count(), 1);

  await socket.close({ code: 4008, reason: "Too many messages for too long; reconnect later" });
  await page.locator("#link-state", { hasText: "This page sent too much for too long" }).waitFor();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assert.equal(sockets.length, 1);
  await page.locator("#link-retry").click();
  await page.locator("#link-state", { hasText: /^$/ }).waitFor({ state: "attached" });
  assert.equal(sockets.length, 2);
});

/**
 * The page with its WebSockets led through `between`; what that leaves alone passes.
 * @param {(page: WebSocketRoute, server: WebSocketRoute) => void} between
 */
async function openBehind(between) {
  const opened = await setup.open(setup.server.url, { remembered: { cameraOn: false } });
  await opened.page.routeWebSocket(/\/ws$/, (socket) => between(socket, socket.connectToServer()));
  await opened.page.reload();
  return opened;
}
