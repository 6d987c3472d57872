// What is asked of the page wherever it is: that everybody can use it, and that it fits.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** @typedef {import("./harness.js").Page} Page */

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @param {Page} page @param {string} where */
export async function isAccessible(page, where) {
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
export async function tabTo(page, selector) {
  const isThere = () => page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, selector);
  for (let presses = 0; presses < 60; presses++) {
    if (await isThere()) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no tabbing leads to ${selector}`);
}

/** @param {Page} page @param {string} selector */
export async function focusIsOn(page, selector) {
  await page.waitForFunction((selector) => document.activeElement?.matches(selector), selector);
}

/** @param {Page} page */
export async function fits(page) {
  const faults = await page.evaluate(() => {
    const covers = ["dialog[open]", "#more-menu:popover-open", "#panel:not([hidden])"].map((selector) => document.querySelector(selector));
    const cover = covers.find(Boolean);
    const seen = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("button, input, select, textarea, h1, label")])
      .filter((element) => element.checkVisibility({ opacityProperty: true }))
      // What lies under an open panel is out of reach on purpose.
      .filter((element) => !cover || cover.contains(element) || element.closest(".controls, #call > header"))
      .filter((element) => !cover?.matches("#more-menu, dialog") || cover.contains(element));
    /** What a view has scrolled out of sight lies under nothing. @param {HTMLElement} element */
    const boxOf = (element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      const view = element.closest(".view")?.getBoundingClientRect() ?? { top, bottom };
      return { left, right, top: Math.max(top, view.top), bottom: Math.min(bottom, view.bottom) };
    };
    const boxes = seen.map((element) => ({ name: element.id || element.textContent, box: boxOf(element) }));
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
