// A call whose pages are on different nodes of a fleet: nobody notices.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SERVICE, call } from "../grpc/buf.js";
import { arrive, ask, isBack, isRefused, meet, openPeople } from "./doors.js";
import { connections, startFleet } from "./fleet.js";
import { join, seesMoving, seesTiles, useServerAndBrowser } from "./harness.js";
import { startBalancer } from "./nginx.js";

/** @typedef {import("./harness.js").Page} Page */

/** @type {Awaited<ReturnType<typeof startFleet>>} */
let fleet;

const setup = useServerAndBrowser({
  start: async () => {
    fleet = await startFleet();
    return { ...fleet.nodes[0], stop: fleet.stop };
  },
});

test("three pages on three nodes see each other's moving pictures, and read what one writes", async () => {
  const pages = [];
  for (const { url } of fleet.nodes) {
    const { page } = await setup.open(url);
    await join(page, "call", `at ${new URL(url).port}`);
    pages.push(page);
  }
  await Promise.all(pages.map((page) => seesMoving(page, 2)));
  for (const page of pages) await page.locator("#chat-toggle").click();
  await pages[0].locator("#chat-text").fill("Does everybody read this?");
  await pages[0].locator("#chat-send").click();
  for (const page of pages) await page.locator("#chat-log", { hasText: "Does everybody read this?" }).waitFor();
});

test("a lock by a host on one node refuses on another, and an administrator lifts it on the third", async () => {
  const [ann] = await meet(at(0), "locked", "Ann");
  const [cid] = await meet(at(2), "locked", "Cid");
  await openPeople(ann);
  await ann.locator("#lock-room").check();
  await cid.locator("#locked").waitFor();
  const bob = await arrive(at(1));
  await ask(bob, "locked", "Bob");
  await isRefused(bob, "This room is locked.");
  await admin(2, "LockRoom", { roomId: "locked", locked: false });
  await bob.locator("#join").click();
  await bob.locator("#leave").waitFor();
  for (const page of [ann, bob, cid]) await seesTiles(page, 2);
  assert.equal(await ann.locator("#lock-room").isChecked(), false);
});

test("a password that an administrator sets at one node is asked for on another", async () => {
  const [ann] = await meet(at(0), "vault", "Ann");
  await admin(1, "UpdateRoom", { room: { roomId: "vault", password: "correct horse" }, updateMask: "password" });
  const bob = await arrive(at(2));
  await ask(bob, "vault", "Bob");
  await tell(bob, "wrong donkey");
  await bob.locator("#password-problem", { hasText: "That is not the password of this room." }).waitFor();
  await tell(bob, "correct horse");
  await bob.locator("#leave").waitFor();
  await seesTiles(ann, 1);
});

test("who waits on one node is let in by a host on another, or by an administrator on the third", async () => {
  const [ann] = await meet(at(0), "hall", "Ann");
  await openPeople(ann);
  await admin(1, "UpdateRoom", { room: { roomId: "hall", lobby: true }, updateMask: "lobby" });
  await ann.locator("#lobby-on:checked").waitFor();
  const [bob, cid] = [await arrive(at(1)), await arrive(at(2))];
  await ask(bob, "hall", "Bob");
  await ann.getByRole("button", { name: "Let in Bob" }).click();
  await bob.locator("#leave").waitFor();
  await ask(cid, "hall", "Cid");
  await ann.getByRole("button", { name: "Let in Cid" }).waitFor();
  const { waiting } = await admin(1, "ListWaiting", { roomId: "hall" });
  await admin(1, "AdmitClient", { clientId: waiting[0].clientId });
  await cid.locator("#leave").waitFor();
  for (const page of [ann, bob, cid]) await seesTiles(page, 2);
});

test("a page whose node dies is back in its room by itself, through another node", async () => {
  const [, second, third] = fleet.nodes;
  const balancer = await startBalancer([second, third, third].map(({ address }) => address));
  try {
    const [bob] = await meet(at(0), "surviving", "Bob");
    const [ann] = await meet({ ...setup, server: { ...setup.server, url: balancer.url } }, "surviving", "Ann");
    await seesTiles(bob, 1);
    const hers = await connections(second) === 1 ? second : third;
    await hers.stop("SIGKILL");
    await isBack(ann);
    for (const page of [ann, bob]) await seesTiles(page, 1);
    const { members } = await admin(0, "GetRoom", { roomId: "surviving" });
    assert.equal(members.length, 2);
    assert.equal(await connections(hers === second ? third : second), 1);
    await ann.context().close();
  } finally {
    await balancer.stop();
  }
});

/** @param {Page} page @param {string} password */
async function tell(page, password) {
  await page.locator("#password").fill(password);
  await page.keyboard.press("Enter");
}

/** What opens pages at one node. @param {number} node */
function at(node) {
  return { ...setup, server: fleet.nodes[node] };
}

/** @param {number} node @param {string} method @param {object} request */
function admin(node, method, request) {
  return call(fleet.nodes[node], `${SERVICE}/${method}`, request);
}
