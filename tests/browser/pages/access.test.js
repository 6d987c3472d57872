import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";

import { join, photograph, seesMoving, seesTiles, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

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

/** @param {Page} page @param {string} where */
async function isAccessible(page, where) {
  // Colours on their way from one to another are not those that people read.
  await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running"));
  await page.evaluate(axe);
  const faults = await page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (window).axe.run({ resultTypes: ["violations"] });
    return violations
      .filter((/** @type {any} */ { impact }) => impact === "serious" || impact === "critical")
      .map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ { html }) => html).join(" ")}`);
  });
  assert.deepEqual(faults, [], where);
}

/** @param {Page} page @param {string} selector */
async function tabTo(page, selector) {
  const isThere = () => page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, selector);
  for (let presses = 0; presses < 60; presses++) {
    if (await isThere()) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no tabbing leads to ${selector}`);
}

/** @param {Page} page @param {string} selector */
async function focusIsOn(page, selector) {
  await page.waitForFunction((selector) => document.activeElement?.matches(selector), selector);
}

/** @param {Page} page */
async function fits(page) {
  const faults = await page.evaluate(() => {
    const covers = ["#more-menu:popover-open", "#panel:not([hidden])"].map((selector) => document.querySelector(selector));
    const cover = covers.find(Boolean);
    const seen = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("button, input, select, textarea, h1, label")])
      .filter((element) => element.checkVisibility({ opacityProperty: true }))
      // What lies under an open panel is out of reach on purpose.
      .filter((element) => !cover || cover.contains(element) || element.closest(".controls, #call > header"))
      .filter((element) => !cover?.matches("#more-menu") || cover.contains(element));
    const boxes = seen.map((element) => ({ name: element.id || element.textContent, box: element.getBoundingClientRect() }));
    const found = boxes.filter(({ box }) => box.left < 0 || box.right > innerWidth).map(({ name }) => `${name} is cut off`);
    for (const [index, a] of boxes.entries()) {
      for (const [offset, b] of boxes.slice(index + 1).entries()) {
        const other = seen[index + 1 + offset];
        if (seen[index].contains(other) || other.contains(seen[index])) continue;
        const apart = a.box.right <= b.box.left + 1 || b.box.right <= a.box.left + 1 ||
          a.box.bottom <= b.box.top + 1 || b.box.bottom <= a.box.top + 1;
        if (!apart) found.push(`${a.name} overlaps ${b.name}`);
      }
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page scrolls sideways");
    return found;
  });
  assert.deepEqual(faults, []);
}
