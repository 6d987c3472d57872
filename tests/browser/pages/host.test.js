// What hosts do, and that they hand it over and get it back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fits, focusIsOn, isAccessible, tabTo } from "./checks.js";
import { PHONE, arrive, ask, cutLink, isBack, isNoticed, isRefused, manage, meet, openPeople } from "./doors.js";
import { join, leave, photograph, seesTiles, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const setup = useServerAndBrowser();

test("a host locks the room and opens it again: who comes meanwhile is refused in words", async () => {
  const [ann, bob] = await meet(setup, "locked", "Ann", "Bob");
  await openPeople(ann);
  await ann.locator("#lock-room").check();
  for (const page of [ann, bob]) await page.locator("#locked").waitFor();
  await openPeople(bob);
  await bob.locator("#door", { hasText: "Locked" }).waitFor();
  const cid = await arrive(setup);
  await ask(cid, "locked", "Cid");
  await isRefused(cid, "This room is locked.");
  await ann.locator("#lock-room").uncheck();
  await bob.locator("#door").waitFor({ state: "hidden" });
  await cid.locator("#join").click();
  for (const page of [ann, bob, cid]) await seesTiles(page, 2);
});

test("who is removed is in the lobby, with words, and may come back at once; for an hour it may not", async () => {
  const [ann, bob, cid] = await meet(setup, "yard", "Ann", "Bob", "Cid");
  await openPeople(ann);
  await manage(ann, "Bob", "Remove from the room");
  await isRefused(bob, "A host removed you from the room.");
  await isNoticed(cid, "Bob was removed");
  await focusIsOn(ann, "#panel-title");
  await bob.locator("#join").click();
  for (const page of [ann, bob, cid]) await seesTiles(page, 2);
  await manage(ann, "Bob", "Remove, and keep out for an hour");
  await isRefused(bob, "A host removed you from the room.");
  await bob.locator("#join").click();
  await isRefused(bob, "An administrator or a host banned you, or the network you come from.");
  for (const page of [ann, cid]) await seesTiles(page, 1);
});

test("who is asked to mute mutes by itself, or does not", async () => {
  const [ann] = await meet(setup, "loud", "Ann");
  await openPeople(ann);
  const { page: bob } = await setup.open(setup.server.url, { remembered: { cameraOn: false } });
  await join(bob, "loud", "Bob");
  await bob.locator("#microphone", { hasText: /^Mute$/ }).waitFor();
  const asked = bob.locator("#notices p", { hasText: "Ann asks you to mute your microphone." });
  for (const answer of ["Dismiss", "Mute"]) {
    await manage(ann, "Bob", "Ask to mute");
    await isNoticed(ann, "Bob is asked to mute.");
    await asked.waitFor();
    assert.equal(await bob.locator("#microphone").textContent(), "Mute", "nothing is done by itself");
    await asked.getByRole("button", { name: answer }).click();
    await asked.waitFor({ state: "detached" });
    await focusIsOn(bob, "#microphone");
    await bob.locator("#microphone", { hasText: answer === "Mute" ? /^Unmute$/ : /^Mute$/ }).waitFor();
  }
  await ann.locator("#people").getByRole("img", { name: "Muted" }).first().waitFor();
});

test("a host makes another one, who unmakes the first; the last one left is host again", async () => {
  const [ann, bob] = await meet(setup, "relay", "Ann", "Bob");
  for (const page of [ann, bob]) await openPeople(page);
  await hasRole(bob, "Ann", "Host");
  assert.ok(await bob.locator("#hosting").isHidden());
  await manage(ann, "Bob", "Make a host");
  await isNoticed(bob, "You are a host now");
  await isNoticed(ann, "Bob is a host now");
  await hasRole(ann, "Bob", "Host");
  await manage(bob, "Ann", "No longer a host");
  await isNoticed(ann, "You are no longer a host.");
  await ann.locator("#hosting").waitFor({ state: "hidden" });
  assert.equal(await ann.getByRole("button", { name: /^Options for/ }).count(), 0);
  await leave(bob);
  await ann.locator("#hosting").waitFor();
});

test("a host whose link breaks in a room that it locked comes back past the lock, and is its host", async () => {
  const [ann, bob, cid] = await meet(setup, "mine", "Ann", "Bob", "Cid");
  await openPeople(ann);
  await ann.locator("#lock-room").check();
  await cid.locator("#locked").waitFor();
  for (const page of [ann, cid]) {
    await cutLink(page);
    await isBack(page);
  }
  for (const page of [ann, bob, cid]) await seesTiles(page, 2);
  await hasRole(ann, "Ann (you)", "Host");
  await openPeople(bob);
  await hasRole(bob, "Ann", "Host");
  await ann.locator("#lock-room").uncheck();
  await bob.locator("#locked").waitFor({ state: "hidden" });
});

test("alone in a room that it locked, a host's link breaks: nobody takes the room meanwhile", async () => {
  const [ann] = await meet(setup, "held", "Ann");
  await openPeople(ann);
  await ann.locator("#lock-room").check();
  await ann.locator("#locked").waitFor();
  const bob = await arrive(setup);
  await ask(bob, "held", "Bob");
  await isRefused(bob, "This room is locked.");
  await cutLink(ann, async () => {
    await bob.locator("#join").click();
    // As an error or, where the wait is short enough to ask again by itself, as a note.
    await bob.locator("#join-form").getByText("This room waits for its people to come back").waitFor();
  });
  await isBack(ann);
  await hasRole(ann, "Ann (you)", "Host");
});

test("a host's dialog by keyboard: it begins at its first choice and gives the focus back; it ends with the person", async () => {
  const [ann, bob] = await meet(setup, "keys", "Ann", "Bob");
  await ann.keyboard.press("p");
  await tabTo(ann, "#people .icon-only");
  await ann.keyboard.press("Enter");
  await ann.locator("#person-dialog").waitFor();
  await ann.keyboard.press("Escape");
  await focusIsOn(ann, "#people .icon-only");
  await ann.keyboard.press("Enter");
  await leave(bob);
  await ann.locator("#person-dialog").waitFor({ state: "hidden" });
  await focusIsOn(ann, "#panel-title");
});

for (const size of [PHONE, { width: 1280, height: 720 }]) {
  test(`axe finds no serious fault in a host's list and dialog, and both fit ${size.width} px`, async () => {
    const room = `seen-${size.width}`;
    const [ann] = await meet(setup, room, "Ann");
    const bob = await arrive(setup);
    await join(bob, room, "Bartholomew Featherstonehaugh-Cholmondeley of Wherever");
    await ann.setViewportSize(size);
    await openPeople(ann);
    const options = ann.getByRole("button", { name: /^Options for/ });
    await options.waitFor();
    await isAccessible(ann, "the list");
    await fits(ann);
    await photograph(ann, `host-${size.width}`);
    await options.click();
    await isAccessible(ann, "the dialog");
    await fits(ann);
    await photograph(ann, `host-dialog-${size.width}`);
  });
}

/** @param {Page} page with its list of people open @param {string} name @param {string} role */
async function hasRole(page, name, role) {
  const person = page.locator("#people .person").filter({ has: page.locator("bdi", { hasText: name }) });
  await person.locator("small", { hasText: role }).waitFor();
}
