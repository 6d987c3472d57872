// The real server and real browsers, and what is asked of pages of both clients.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, afterEach, before } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { cameraFile } from "./camera.js";

/**
 * @typedef {import("playwright-core").Browser} Browser
 * @typedef {import("playwright-core").Page} Page
 * @typedef {{ url: string, address: string, adminAddress: string, ended: Promise<any[]>, stop: (signal?: NodeJS.Signals) => Promise<void> }} Server
 */

const SERVER = serverBinary();
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const LOCALHOST_ONLY = "MAP * ~NOTFOUND, EXCLUDE localhost";
/** What Playwright has Chromium leave out, since the last such list counts, and the pages that each window renders for
 * its address bar: they take three times what all else does. */
const LEFT_OUT = [
  "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable",
  "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect",
  "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch",
  "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
];

/**
 * @param {string[]} args
 * @param {string} address where to listen; any free port unless told
 * @param {string} adminAddress likewise for administrators
 * @returns {Promise<Server>}
 */
export async function startServer(args = [], address = "127.0.0.1:0", adminAddress = "127.0.0.1:0") {
  const server = spawn(SERVER, ["--listen", address, "--admin-listen", adminAddress, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, SIGNALPOST_LOG: "warn" },
  });
  const kill = () => server.kill("SIGKILL");
  // A failing test must not leave its server behind.
  process.once("exit", kill);
  const ended = once(server, "exit").finally(() => process.off("exit", kill));

  const lines = await Promise.race([banner(server.stdout), ended.then(() => assert.fail("the server did not start"))]);
  const port = /http:\/\/localhost:(\d+)/.exec(lines)?.[1];
  const adminPort = /gRPC.*127\.0\.0\.1:(\d+)/.exec(lines)?.[1];
  assert.ok(port && adminPort, `the server names its ports: ${lines}`);
  return {
    url: `http://localhost:${port}`,
    address: `127.0.0.1:${port}`,
    adminAddress: `127.0.0.1:${adminPort}`,
    ended,
    stop: async (signal = "SIGTERM") => {
      server.kill(signal);
      await ended;
    },
  };
}

/**
 * One server and one browser for all tests of a file. A page of open() goes after its test, and must not have complained.
 * @param {{ args?: string[], start?: () => Promise<Server>, launch?: () => Promise<Browser> }} options
 */
export function useServerAndBrowser({ args = [], start = () => startServer(args), launch = launchBrowser } = {}) {
  /** @typedef {Awaited<ReturnType<typeof openPage>>} Opened */
  const setup = {
    server: /** @type {Server} */ ({}),
    browser: /** @type {Browser} */ ({}),
    opened: /** @type {Opened[]} */ ([]),
    /** @param {string} url @param {Parameters<typeof openPage>[2]} [options] */
    open: async (url, options) => {
      const page = await openPage(setup.browser, url, options);
      setup.opened.push(page);
      return page;
    },
  };
  before(async () => {
    // One after the other: a browser that nobody knows of would keep the process alive where the server does not start.
    setup.server = await start();
    setup.browser = await launch();
  });
  after(async () => {
    await setup.browser.close?.();
    await setup.server.stop?.();
  });
  afterEach(async () => {
    const problems = setup.opened.flatMap(({ problems }) => problems);
    await Promise.all(setup.opened.map(({ page }) => page.context().close()));
    setup.opened = [];
    assert.deepEqual(problems, [], "errors and warnings on the pages' consoles");
  });
  return setup;
}

export function serverBinary() {
  const path = process.env.SIGNALPOST_BIN;
  if (path && existsSync(path)) return path;
  const found = path ? `${path}, of SIGNALPOST_BIN, is not there` : "SIGNALPOST_BIN is not set";
  throw new Error(`${found}: set it to the server's binary, as in SIGNALPOST_BIN=$PWD/target/debug/signalpost after \`cargo build\``);
}

/** @param {NodeJS.ReadableStream} output */
async function banner(output) {
  let lines = "";
  for await (const line of createInterface({ input: output })) {
    lines += `${line}\n`;
    if (/http:\/\/localhost:\d+/.test(lines) && /gRPC.*127\.0\.0\.1:\d+/.test(lines)) break;
  }
  // Unread, a full pipe would stop the server.
  output.resume();
  return lines;
}

/**
 * @typedef {{ hostRules?: string, framesPerSecond?: number, cameras?: number }} Launch
 * @param {Launch} launch cameras: more than one are the browser's own, whose pictures are large
 */
export function launchOptions({ hostRules = LOCALHOST_ONLY, framesPerSecond = 10, cameras = 1 } = {}) {
  return {
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      `--use-fake-device-for-media-stream=device-count=${cameras}`,
      ...(cameras === 1 ? [`--use-file-for-fake-video-capture=${cameraFile(framesPerSecond)}`] : []),
      // What is heard is mixed 12 times a second, not a hundred times.
      "--audio-buffer-size=4096",
      "--use-fake-ui-for-media-stream",
      "--allow-loopback-in-peer-connection",
      `--host-resolver-rules=${hostRules}`,
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--disable-quic",
      `--disable-features=${LEFT_OUT.join(",")}`,
    ],
  };
}

/** @param {Launch} [launch] */
export function launchBrowser(launch) {
  return chromium.launch(launchOptions(launch));
}

/** A browser whose processes can be killed, so that its pages vanish without a word. */
export async function launchKillableBrowser() {
  const server = await chromium.launchServer(launchOptions());
  const browser = await chromium.connect(server.wsEndpoint());
  return { browser, kill: () => server.kill() };
}

/**
 * A page of our client in the lobby, in a context of its own. What it should not do collects in `problems`.
 * @param {Browser} browser
 * @param {string} url
 * @param {{ camera?: boolean, remembered?: Record<string, unknown> }} options remembered: choices of an earlier visit
 */
export async function openPage(browser, url, { camera = true, remembered } = {}) {
  const context = await browser.newContext();
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  await page.exposeBinding("reportViolation", (_, what) => problems.push(`content security policy: ${what}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      /** @type {any} */ (window).reportViolation(`${event.violatedDirective} ${event.blockedURI}`));
  });
  if (remembered) {
    await page.addInitScript((remembered) => {
      if (!localStorage.signalpost) localStorage.signalpost = JSON.stringify(remembered);
    }, remembered);
  }
  if (!camera) {
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("Requested device not found", "NotFoundError");
      };
    });
  }
  await page.goto(url);
  return { page, problems };
}

/** @param {Page} page @param {string} room @param {string} name */
export async function join(page, room, name = "") {
  await page.locator("#room").fill(room);
  await page.locator("#name").fill(name);
  await page.locator("#join").click();
  await page.locator("#leave").waitFor();
}

/** @param {Page} page */
export function leave(page) {
  return page.locator("#leave").click();
}

/**
 * Waits until the page shows exactly so many others, and the pictures of all of them move.
 * @param {Page} page
 * @param {number} count
 * @param {string} selector
 */
export async function seesMoving(page, count, selector = ".tile:not(.local, .screen) video") {
  const samples = await page.evaluateHandle(() => new WeakMap());
  await page.waitForFunction(({ samples, count, selector }) => {
    const videos = /** @type {HTMLVideoElement[]} */ ([...document.querySelectorAll(selector)]);
    const moving = videos.filter((video) => {
      const now = { time: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames };
      if (!samples.has(video)) samples.set(video, now);
      const before = samples.get(video);
      return video.videoWidth > 0 && now.time > before.time && now.frames > before.frames;
    });
    return videos.length === count && moving.length === count;
  }, { samples, count, selector });
}

/** Waits until the page shows exactly so many others, with or without a picture. @param {Page} page @param {number} count */
export async function seesTiles(page, count) {
  await page.waitForFunction((count) => document.querySelectorAll(".tile:not(.local, .screen)").length === count, count);
}

/** @param {Page} page */
export function tileIds(page) {
  return page.locator(".tile:not(.local, .screen)").evaluateAll((tiles) => tiles.map(({ dataset }) => dataset.clientId ?? ""));
}

/** A picture for people to look at, beside the tests. @param {Page} page @param {string} name */
export async function photograph(page, name) {
  await page.screenshot({ path: fileURLToPath(new URL(`../output/${name}.png`, import.meta.url)) });
}
