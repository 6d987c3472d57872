// A room with a lobby: who waits, and who lets them in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fits, focusIsOn, isAccessible, tabTo } from "./checks.js";
import { PHONE, arrive, ask, cutLink, isBack, isNoticed, isRefused, meet, openPeople } from "./doors.js";
import { leave, photograph, seesTiles, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const WAITS = "This room has a lobby, and its hosts were told that you wait.";

const setup = useServerAndBrowser();

test("a host hears who knocks, lets one in and refuses another, who may knock again; all are let in at once", async () => {
  const ann = await openLobby("hall");
  const [bob, cid, dan] = [await arrive(setup), await arrive(setup), await arrive(setup)];
  await knock(bob, "hall", "Bob");
  await isNoticed(ann, "Bob waits to be let in");
  await knock(cid, "hall", "Cid");
  await ann.getByRole("button", { name: "People: 1, waiting to be let in: 2" }).waitFor();
  await ann.getByRole("button", { name: "Let in Bob" }).click();
  await bob.locator("#leave").waitFor();
  await seesTiles(ann, 1);
  await ann.getByRole("button", { name: "Refuse Cid" }).click();
  await isRefused(cid, "A host did not let you in.");
  await ann.locator("#waiting").waitFor({ state: "hidden" });

  await knock(cid, "hall", "Cid");
  await knock(dan, "hall", "Dan");
  await ann.getByRole("heading", { name: "Waiting to be let in: 2" }).waitFor();
  await ann.getByRole("button", { name: "Let all in" }).click();
  for (const page of [cid, dan]) await page.locator("#leave").waitFor();
  for (const page of [ann, bob, cid, dan]) await seesTiles(page, 3);
  assert.ok(await bob.locator("#knocking").isHidden(), "who is no host hears of nobody");
});

test("who gives up waiting is gone from the hosts' list, and who comes while the lobby is lifted walks in", async () => {
  const ann = await openLobby("porch");
  const bob = await arrive(setup);
  await knock(bob, "porch", "Bob");
  await ann.getByRole("button", { name: "Let in Bob" }).waitFor();
  await bob.getByRole("button", { name: "Cancel" }).click();
  await ann.locator("#waiting").waitFor({ state: "hidden" });
  await bob.locator("#join", { hasText: /^Join$/ }).waitFor();
  await focusIsOn(bob, "#join");
  assert.equal(await bob.locator("#lobby-note").textContent(), "");

  await knock(bob, "porch", "Bob");
  await ann.locator("#lobby-on").uncheck();
  await bob.locator("#leave").waitFor();
  await seesTiles(ann, 1);
});

test("a member whose link breaks is let in again by itself, a waiter's waits anew, a host's knows who waits", async () => {
  const ann = await openLobby("gate");
  const [bob, cid] = [await arrive(setup), await arrive(setup)];
  await knock(bob, "gate", "Bob");
  await ann.getByRole("button", { name: "Let in Bob" }).click();
  await bob.locator("#leave").waitFor();
  await cutLink(bob);
  await isBack(bob);
  await knock(cid, "gate", "Cid");
  await ann.getByRole("button", { name: "Let in Cid" }).waitFor();
  await cutLink(cid);
  await cid.locator("#link-state", { hasText: /^$/ }).waitFor({ state: "attached" });
  await ann.getByRole("heading", { name: "Waiting to be let in: 1" }).waitFor();
  await cutLink(ann);
  await isBack(ann);
  await ann.getByRole("button", { name: "Let in Cid" }).click();
  await cid.locator("#leave").waitFor();
  for (const page of [ann, bob, cid]) await seesTiles(page, 2);
});

test("by keyboard alone one waits, gives up, and is let in; the focus of a row that goes stays in the list", async () => {
  const ann = await openLobby("keys");
  const [bob, cid] = [await arrive(setup), await arrive(setup)];
  await knock(bob, "keys", "Bob");
  await tabTo(bob, "#cancel");
  await bob.keyboard.press("Enter");
  await focusIsOn(bob, "#join");
  await bob.keyboard.press("Enter");
  await knock(cid, "keys", "Cid");
  await ann.getByRole("heading", { name: "Waiting to be let in: 2" }).waitFor();
  await tabTo(ann, "#knocks li:first-child .primary");
  await ann.keyboard.press("Enter");
  await bob.locator("#leave").waitFor();
  await focusIsOn(ann, "#panel-title");
  await tabTo(ann, "#admit-all");
  await ann.keyboard.press("Enter");
  await cid.locator("#leave").waitFor();
  await focusIsOn(ann, "#panel-title");
});

test("a lobby that nobody keeps: when the room ends, who waited is told", async () => {
  const ann = await openLobby("empty");
  const bob = await arrive(setup);
  await knock(bob, "empty", "Bob");
  await leave(ann);
  await isRefused(bob, "The room was closed.");
});

for (const size of [PHONE, { width: 1280, height: 720 }]) {
  test(`axe finds no serious fault in waiting and letting in, and both fit ${size.width} px`, async () => {
    const room = `seen-${size.width}`;
    const ann = await openLobby(room);
    const bob = await arrive(setup);
    for (const page of [ann, bob]) await page.setViewportSize(size);
    await knock(bob, room, "Bartholomew Featherstonehaugh-Cholmondeley of Wherever");
    await isAccessible(bob, "waiting");
    await fits(bob);
    await photograph(bob, `waiting-${size.width}`);
    await ann.locator("#knocks li").waitFor();
    await isAccessible(ann, "letting in");
    await fits(ann);
    await photograph(ann, `knocks-${size.width}`);
  });
}

/** A host in a room of which it has opened the lobby, and its list of people. @param {string} room */
async function openLobby(room) {
  const [host] = await meet(setup, room, "Ann");
  await openPeople(host);
  await host.locator("#lobby-on").check();
  return host;
}

/** @param {Page} page @param {string} room @param {string} name */
async function knock(page, room, name) {
  await ask(page, room, name);
  await page.locator("#lobby-note", { hasText: WAITS }).waitFor();
  await page.locator("#join", { hasText: "Waiting to be let in…" }).waitFor();
}
