// A real administrator's calls, and what they do to people on the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SERVICE, call } from "../grpc/buf.js";
import { join, seesTiles, useServerAndBrowser } from "./harness.js";

/** @typedef {import("playwright-core").Page} Page */

const setup = useServerAndBrowser();

/** @param {string} method @param {object} request */
const ask = (method, request) => call(setup.server, `${SERVICE}/${method}`, request);

test("who is removed from a room is in the lobby, its room-mates see it go, and it may come again", async () => {
  const [ann, bob] = await meet("yard");
  const { clients } = await ask("ListClients", { filter: 'room_id = "yard"' });
  const { members } = await ask("GetRoom", { roomId: "yard" });
  assert.equal(clients.length, 2);
  const last = members.at(-1).clientId;
  const removed = await ask("RemoveClient", { clientId: last, roomId: "yard", reason: "Too loud" });
  assert.equal(removed.roomId, undefined);
  await isToldInTheLobby(bob, "An administrator removed you from the room. Reason: Too loud");
  await seesTiles(ann, 0);
  await bob.locator("#join").click();
  await seesTiles(ann, 1);
});

test("who is banned from a room hears so, also when asking again, until the ban is lifted", async () => {
  const [page] = await meet("garden", 1);
  const { banId } = await ask("CreateBan", { ban: { roomId: "garden", address: "127.0.0.0/8" } });
  const words = "An administrator or a host banned you, or the network you come from.";
  await isToldInTheLobby(page, words);
  await page.locator("#join").click();
  await page.locator("#join", { hasText: /^Join$/ }).waitFor();
  await isToldInTheLobby(page, words);
  await ask("DeleteBan", { banId });
  await page.locator("#join").click();
  await page.locator("#leave").waitFor();
});

test("everybody in a room that is ended is in the lobby, and the next one in makes it anew", async () => {
  const pages = await meet("attic");
  await ask("LockRoom", { roomId: "attic", locked: true });
  await ask("DeleteRoom", { roomId: "attic" });
  for (const page of pages) {
    await isToldInTheLobby(page, "The room was closed.");
    await page.locator("#join").click();
    await page.locator("#leave").waitFor();
  }
  const { memberCount, locked } = await ask("GetRoom", { roomId: "attic" });
  assert.deepEqual([memberCount, locked], [2, undefined]);
});

/** So many pages in one room, in the order in which they came. @param {string} room @param {number} [count] */
async function meet(room, count = 2) {
  const pages = [];
  for (let nth = 0; nth < count; nth += 1) {
    const { page } = await setup.open(setup.server.url, { camera: false });
    await join(page, room);
    pages.push(page);
  }
  await Promise.all(pages.map((page) => seesTiles(page, count - 1)));
  return pages;
}

/** @param {Page} page @param {string} words */
async function isToldInTheLobby(page, words) {
  await page.locator("#error", { hasText: words }).waitFor();
  assert.equal(await page.locator("#error").textContent(), words);
  assert.ok(await page.locator("#call").isHidden());
}
