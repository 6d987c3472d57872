import assert from "node:assert/strict";
import { test } from "node:test";

import { fits, focusIsOn, isAccessible, tabTo } from "./checks.js";
import { join, photograph, seesMoving, seesTiles, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const setup = useServerAndBrowser();

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`axe finds no serious fault in lobby and call, ${colorScheme}`, async () => {
    const [ann, bob] = [await open(), await open({ camera: false })];
    await ann.emulateMedia({ colorScheme });
    await ann.locator("#preview-video").waitFor();
    await isAccessible(ann, "lobby");
    await bob.locator("#device-problem button").waitFor();
    await isAccessible(bob, "lobby with a device's problem");

    await join(ann, `axe-${colorScheme}`, "Ann");
    await join(bob, `axe-${colorScheme}`, "Bob");
    await seesTiles(ann, 1);
    await bob.locator("#hand").click();
    await ann.getByRole("img", { name: "Hand raised" }).waitFor();
    await isAccessible(ann, "call");
    if (colorScheme === "light") {
      await choose(ann, "#colours");
      await isAccessible(ann, "call in light colours");
    }
    await ann.locator("#more").click();
    await isAccessible(ann, "menu");
    await ann.keyboard.press("Escape");
    for (const key of ["c", "p", "t"]) {
      await ann.keyboard.press(key);
      if (key === "c") {
        await ann.locator("#chat-text").fill("see https://example.org/");
        await ann.keyboard.press("Enter");
      }
      if (key === "t") await ann.getByText("direct").waitFor();
      await isAccessible(ann, `panel ${key}`);
      await ann.locator("#panel-close").click();
    }
    for (const dialog of ["devices", "shortcuts"]) {
      await choose(ann, `#${dialog}-open`);
      await isAccessible(ann, dialog);
      await ann.keyboard.press("Escape");
    }
  });
}

test("the whole call by keyboard alone, tabbing to each control", async () => {
  const [ann, bob] = [await open(), await open()];
  await join(bob, "keys", "Bob");

  await tabTo(ann, "#room");
  await ann.keyboard.type("keys");
  await tabTo(ann, "#name");
  await ann.keyboard.type("Ann");
  await ann.keyboard.press("Enter");
  await ann.locator("#leave").waitFor();
  await seesTiles(bob, 1);
  const shown = bob.locator(".tile:not(.local)");

  await tabTo(ann, "#microphone");
  await ann.keyboard.press("Space");
  await shown.getByRole("img", { name: "Muted" }).waitFor();
  await tabTo(ann, "#camera");
  await ann.keyboard.press("Enter");
  await shown.locator("video").waitFor({ state: "hidden" });
  await tabTo(ann, "#hand");
  await ann.keyboard.press("Enter");
  await shown.getByRole("img", { name: "Hand raised" }).waitFor();
  await tabTo(ann, "#chat-toggle");
  await ann.keyboard.press("Enter");
  await focusIsOn(ann, "#chat-text");
  await ann.keyboard.type("mvhc?");
  await ann.keyboard.press("Enter");
  await bob.getByRole("status").getByText("Ann: mvhc?").waitFor();
  await ann.keyboard.press("Escape");
  await focusIsOn(ann, "#chat-toggle");
  await tabTo(ann, "#more");
  await ann.keyboard.press("Enter");
  await tabTo(ann, "#shortcuts-open");
  await ann.keyboard.press("Enter");
  await ann.getByText("Raise or lower your hand").waitFor();
  await ann.keyboard.press("Escape");
  for (const control of ["#copy-link", "#people-toggle", ".tile-actions button", "#share"]) await tabTo(ann, control);
  await tabTo(ann, "#leave");
  await ann.keyboard.press("Enter");
  await focusIsOn(ann, "#room, #name");
  await seesTiles(bob, 0);
});

test("single keys do what the list of shortcuts says, never while somebody writes, and can be switched off", async () => {
  const [ann, bob] = [await open(), await open()];
  await join(bob, "shortcuts", "Bob");
  await join(ann, "shortcuts", "Ann");
  await seesTiles(bob, 1);
  const shown = bob.locator(".tile:not(.local)");
  await ann.keyboard.press("m");
  await shown.getByRole("img", { name: "Muted" }).waitFor();
  await ann.keyboard.press("v");
  await shown.locator("video").waitFor({ state: "hidden" });
  await ann.keyboard.press("h");
  await shown.getByRole("img", { name: "Hand raised" }).waitFor();
  await ann.keyboard.press("?");
  await ann.locator("#shortcuts-on").uncheck();
  await ann.keyboard.press("Escape");
  await ann.keyboard.press("c");
  await ann.keyboard.press("h");
  assert.ok(await ann.locator("#panel").isHidden());
  assert.equal(await ann.locator("#hand").textContent(), "Lower hand");
});

test("on a phone nothing overlaps or scrolls sideways, in lobby, call, chat, menu and statistics", async () => {
  const [ann, bob] = [await open(), await open()];
  await ann.setViewportSize({ width: 360, height: 640 });
  await ann.locator("#preview-video").waitFor();
  await fits(ann);
  await photograph(ann, "phone-lobby");
  const room = "a-very-long-name-of-a-room-".repeat(4);
  await join(ann, room, "Annabel Featherstonehaugh-Cholmondeley of Wherever");
  await join(bob, room, "Bob");
  await Promise.all([ann, bob].map((page) => seesMoving(page, 1)));
  await fits(ann);
  await photograph(ann, "phone-call");
  await ann.locator("#more").click();
  await fits(ann);
  await ann.keyboard.press("Escape");
  for (const view of ["chat", "people", "statistics"]) {
    if (view === "statistics") await choose(ann, "#statistics-toggle");
    else await ann.locator(`#${view}-toggle`).click();
    await ann.locator(`#${view}-view`).waitFor();
    await fits(ann);
    await photograph(ann, `phone-${view}`);
    await ann.locator("#panel-close").click();
  }
  await choose(ann, "#call-language");
  await ann.getByRole("button", { name: "静音" }).waitFor();
  await fits(ann);
});

test("in a low window, as of a phone that lies or a page at 200 %, the menu scrolls to each of its entries", async () => {
  const ann = await open({ camera: false });
  await join(ann, "low");
  await ann.setViewportSize({ width: 640, height: 360 });
  await ann.locator("#more").click();
  const entries = await ann.locator("#more-menu button:visible").all();
  assert.ok(entries.length > 5);
  for (const entry of entries) await entry.click({ trial: true, timeout: 3_000 });
});

/** @param {{ camera?: boolean }} [options] */
async function open(options) {
  const page = await setup.open(setup.server.url, options);
  return page.page;
}

/** Something in the menu. @param {Page} page @param {string} selector */
async function choose(page, selector) {
  await page.locator("#more").click();
  await page.locator(selector).click();
}
