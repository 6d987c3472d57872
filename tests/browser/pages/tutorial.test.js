import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { join, launchBrowser, leave, openPage, seesMoving, startServer } from "./harness.js";
import { readTutorial, serveTutorial } from "./tutorial.js";

/** @typedef {import("./harness.js").Page} Page */

const THEIR_VIDEOS = "#remoteVideos video";

const tutorial = await readTutorial();
const skip = "missing" in tutorial && tutorial.missing;
if (skip) console.log(skip);

/** @type {import("./harness.js").Server} */
let server;
/** @type {import("./harness.js").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof serveTutorial>>} */
let site;
let hostRules = "";
/** @type {Page[]} */
let opened = [];

before(async () => {
  if ("missing" in tutorial) return;
  [server, site] = await Promise.all([startServer(), serveTutorial(tutorial.text)]);
  // Its WebSocket's address is hard-wired to port 8080, which may be taken here.
  hostRules = `MAP localhost:8080 ${server.address}, MAP localhost 127.0.0.1, MAP * ~NOTFOUND`;
  browser = await launchBrowser({ hostRules });
});
after(async () => {
  await browser?.close();
  await site?.stop();
  await server?.stop();
});
afterEach(async () => {
  await Promise.all(opened.map((page) => page.context().close()));
  opened = [];
});

test("two, then three of the tutorial's pages see each other move; one goes, comes back, and vanishes", { skip }, async () => {
  const [ann, bob, cid] = [await openTheirs(), await openTheirs(), await openTheirs()];
  await joinTheirs(ann, "theirs");
  await joinTheirs(bob, "theirs");
  await Promise.all([ann, bob].map((page) => seesMoving(page, 1, THEIR_VIDEOS)));
  await joinTheirs(cid, "theirs");
  await Promise.all([ann, bob, cid].map((page) => seesMoving(page, 2, THEIR_VIDEOS)));

  await bob.locator("#leaveBtn").click();
  await Promise.all([ann, cid].map((page) => seesMoving(page, 1, THEIR_VIDEOS)));
  await joinTheirs(bob, "theirs");
  await Promise.all([ann, bob, cid].map((page) => seesMoving(page, 2, THEIR_VIDEOS)));

  const crashed = bob.waitForEvent("crash");
  bob.goto("chrome://crash").catch(() => {});
  await crashed;
  await Promise.all([ann, cid].map((page) => seesMoving(page, 1, THEIR_VIDEOS)));
});

test("the tutorial's page is there, ours joins: both pictures move, and go with who leaves", { skip }, async () => {
  const [theirs, { page: ours, problems }] = [await openTheirs(), await openOurs()];
  await joinTheirs(theirs, "mixed-1");
  await join(ours, "mixed-1", "Ann");
  await Promise.all([seesMoving(ours, 1), seesMoving(theirs, 1, THEIR_VIDEOS)]);
  await leave(ours);
  await seesMoving(theirs, 0, THEIR_VIDEOS);
  await join(ours, "mixed-1", "Ann");
  await Promise.all([seesMoving(ours, 1), seesMoving(theirs, 1, THEIR_VIDEOS)]);
  await theirs.locator("#leaveBtn").click();
  await seesMoving(ours, 0);
  assert.deepEqual(problems, []);
});

test("our page is there, the tutorial's joins: both pictures move", { skip }, async () => {
  const [theirs, { page: ours, problems }] = [await openTheirs(), await openOurs()];
  await join(ours, "mixed-2", "Ann");
  await joinTheirs(theirs, "mixed-2");
  await Promise.all([seesMoving(ours, 1), seesMoving(theirs, 1, THEIR_VIDEOS)]);
  assert.deepEqual(problems, []);
});

test("our page without a camera joins the tutorial's: it sees the other's moving picture", { skip }, async () => {
  const [theirs, { page: ours, problems }] = [await openTheirs(), await openOurs({ camera: false })];
  await joinTheirs(theirs, "mixed-3");
  await join(ours, "mixed-3");
  await seesMoving(ours, 1);
  assert.deepEqual(problems, []);
});

async function openTheirs() {
  const context = await browser.newContext();
  const page = await context.newPage();
  opened.push(page);
  await page.goto(site.url);
  await page.getByText("已连接").waitFor();
  return page;
}

/** @param {{ camera?: boolean }} [options] */
async function openOurs(options) {
  // By the same mapped port: these rules know no other way to localhost's servers.
  const ours = await openPage(browser, "http://localhost:8080/", options);
  opened.push(ours.page);
  return ours;
}

/** @param {Page} page @param {string} room */
async function joinTheirs(page, room) {
  await page.locator("#roomId").fill(room);
  await page.locator("#joinBtn").click();
}
