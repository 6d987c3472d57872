import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { join, launchBrowser, openPage, photograph, seesMoving, startServer } from "./harness.js";

const NAMES = ["Ann", "Bob", "Cid", "Dora", "Eve", "陈小明"];

/** @type {import("./harness.js").Server} */
let server;
/** @type {import("./harness.js").Browser} */
let browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(["--max-members", "6"]), launchBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("six pages each see five moving videos, and one more is refused in words", async () => {
  const opened = [];
  for (const name of NAMES) {
    const page = await openPage(browser, `${server.url}/r/six`);
    opened.push(page);
    // All that is painted costs time that the videos need: one page is large, for the pictures.
    await page.page.setViewportSize(name === "Ann" ? { width: 1280, height: 760 } : { width: 400, height: 400 });
    await join(page.page, "six", name);
    const { page: ann } = opened[0];
    if ([2, 4].includes(opened.length)) {
      await seesMoving(ann, opened.length - 1);
      await photograph(ann, `call-${opened.length}`);
    }
  }
  const pages = opened.map(({ page }) => page);
  // A loaded machine shows few frames a second, but it must show them all.
  for (const page of pages) page.setDefaultTimeout(120_000);
  await Promise.all(pages.map((page) => seesMoving(page, 5)));
  await photograph(pages[0], "call-6");

  const { page: seventh, problems } = await openPage(browser, `${server.url}/r/six`);
  await seventh.locator("#join").click();
  await seventh.getByRole("alert").getByText("This room is full. Ask somebody inside to leave, or choose another room.").waitFor();
  assert.ok(await seventh.locator("#room").isVisible());
  assert.equal(await pages[0].locator("#people-count").textContent(), "6");
  assert.deepEqual([...opened.flatMap(({ problems }) => problems), ...problems], []);
});
