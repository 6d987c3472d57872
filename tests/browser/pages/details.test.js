import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { join, launchBrowser, openPage, startServer } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

/** @type {import("./harness.js").Server} */
let server;
/** @type {import("./harness.js").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof openPage>>[]} */
let opened = [];

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
afterEach(async () => {
  const problems = opened.flatMap(({ problems }) => problems);
  await Promise.all(opened.map(({ page }) => page.context().close()));
  opened = [];
  assert.deepEqual(problems, [], "errors and warnings on the pages' consoles");
});

test("in a quiet call one's own row says at once what one does, and one's own screen comes and goes", async () => {
  const ann = await open({ camera: true });
  await join(ann, "quiet", "Ann");
  await ann.locator("#people-toggle").click();
  const row = ann.locator("#people li");
  await ann.keyboard.press("m");
  await row.getByRole("img", { name: "Muted" }).waitFor();
  await ann.keyboard.press("m");
  await row.getByRole("img", { name: "Muted" }).waitFor({ state: "detached" });
  await ann.keyboard.press("h");
  await row.getByRole("img", { name: "Hand raised" }).waitFor();
  await ann.locator("#share").click();
  await row.getByText("Sharing the screen").waitFor();
  await ann.getByRole("button", { name: "Stop sharing" }).click();
  await row.getByText("Sharing the screen").waitFor({ state: "detached" });
  assert.equal(await ann.locator(".tile.screen").count(), 0);
});

/** @param {{ camera?: boolean, at?: string }} [options] a page without devices, since most here are no matter of them */
async function open({ camera = false, at = server.url } = {}) {
  const page = await openPage(browser, at, { camera });
  opened.push(page);
  return page.page;
}
