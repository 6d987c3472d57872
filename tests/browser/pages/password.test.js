// A room with a password, from both sides of its door.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fits, focusIsOn, isAccessible } from "./checks.js";
import { PHONE, arrive, ask, cutLink, isBack, isNoticed, isRefused, meet, openPeople } from "./doors.js";
import { leave, photograph, seesTiles, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const setup = useServerAndBrowser();

test("a host sets a password: who comes is asked for it until it is right, who gives up is in the lobby", async () => {
  const [ann] = await meet(setup, "vault", "Ann");
  await setPassword(ann, "correct horse");
  const [bob, cid] = [await arrive(setup), await arrive(setup)];
  for (const page of [bob, cid]) {
    await ask(page, "vault");
    await page.locator("#password-dialog").waitFor();
  }
  await tell(bob, "wrong donkey");
  await bob.locator("#password-problem", { hasText: "That is not the password of this room." }).waitFor();
  await focusIsOn(bob, "#password");
  await tell(bob, "correct horse");
  await bob.locator("#leave").waitFor();
  await seesTiles(ann, 1);

  await cid.keyboard.press("Escape");
  await isRefused(cid, "This room has a password.");
  await focusIsOn(cid, "#join");
  assert.ok(await cid.locator("#call").isHidden());
  await seesTiles(ann, 1);
});

test("whose link breaks comes back unasked, though the password is another by then; who left is asked", async () => {
  const [ann] = await meet(setup, "changing", "Ann");
  await setPassword(ann, "first");
  const bob = await arrive(setup);
  await ask(bob, "changing");
  await tell(bob, "first");
  await seesTiles(ann, 1);
  await setPassword(ann, "second");
  await cutLink(bob);
  await isBack(bob);
  assert.ok(await bob.locator("#password-dialog").isHidden());
  await seesTiles(ann, 1);

  await leave(bob);
  await bob.locator("#join").click();
  await tell(bob, "first");
  await bob.locator("#password-problem", { hasText: "That is not the password of this room." }).waitFor();
  await tell(bob, "second");
  await bob.locator("#leave").waitFor();
});

test("a password that is lifted while somebody types it: told in words, and one comes in without", async () => {
  const [ann] = await meet(setup, "lifted", "Ann");
  await setPassword(ann, "correct horse");
  const bob = await arrive(setup);
  await ask(bob, "lifted");
  await bob.locator("#password-dialog").waitFor();
  await ann.locator("#room-password-lift").click();
  await isNoticed(ann, "The password is lifted.");
  await focusIsOn(ann, "#room-password");
  await tell(bob, "correct horse");
  await isRefused(bob, "This room has no password. Join again without one.");
  await bob.locator("#join").click();
  await bob.locator("#leave").waitFor();
});

test("who guesses on and on is told to wait, and can give up meanwhile", async () => {
  const [ann] = await meet(setup, "guessed", "Ann");
  await setPassword(ann, "correct horse");
  const bob = await arrive(setup);
  await ask(bob, "guessed");
  const problem = bob.locator("#password-problem", { hasText: /not the password|Asking again in \d+ s\./ });
  for (let guesses = 0; ; guesses++) {
    assert.ok(guesses < 30, "guesses are limited");
    await tell(bob, `guess ${guesses}`);
    await problem.waitFor();
    if (/Asking again/.test((await problem.textContent()) ?? "")) break;
  }
  await bob.keyboard.press("Escape");
  await bob.locator("#join", { hasText: /^Join$/ }).waitFor();
  assert.equal(await bob.locator("#lobby-note").textContent(), "");
});

for (const size of [PHONE, { width: 1280, height: 720 }]) {
  test(`axe finds no serious fault in the question and the host's controls, and they fit ${size.width} px`, async () => {
    const room = `seen-${size.width}`;
    const [ann] = await meet(setup, room, "Ann");
    await ann.setViewportSize(size);
    await setPassword(ann, "correct horse");
    await isAccessible(ann, "the host's controls");
    await fits(ann);
    await photograph(ann, `password-host-${size.width}`);
    const bob = await arrive(setup);
    await bob.setViewportSize(size);
    await ask(bob, room);
    await tell(bob, "wrong donkey");
    await bob.locator("#password-problem", { hasText: "That is not" }).waitFor();
    await isAccessible(bob, "the question");
    await fits(bob);
    await photograph(bob, `password-${size.width}`);
  });
}

/** @param {Page} host @param {string} password */
async function setPassword(host, password) {
  if (await host.locator("#people-view").isHidden()) await openPeople(host);
  await host.locator("#room-password").fill(password);
  await host.locator("#room-password").press("Enter");
  // An earlier one may still be announced.
  await host.waitForFunction(() => /** @type {HTMLInputElement} */ (document.querySelector("#room-password")).value === "");
  await isNoticed(host, "The password is set.");
  await host.getByRole("button", { name: "Change password" }).waitFor();
}

/** @param {Page} page @param {string} password */
async function tell(page, password) {
  await page.locator("#password").fill(password);
  await page.keyboard.press("Enter");
}
