import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import {
  join, launchKillableBrowser, leave, openPage, seesMoving, seesTiles, startServer, tileIds, useServerAndBrowser,
} from "./harness.js";

const setup = useServerAndBrowser();
let rooms = 0;

test("two pages, then three, see each other's moving pictures; one goes and comes back", async () => {
  const room = freshRoom();
  const [ann, bob, cid] = [await open(), await open(), await open()];
  await join(ann, room, "Ann");
  await join(bob, room, "Bob");
  await Promise.all([seesMoving(ann, 1), seesMoving(bob, 1)]);
  await join(cid, room);
  await Promise.all([ann, bob, cid].map((page) => seesMoving(page, 2)));
  assert.deepEqual(await names(cid), ["You", "Ann", "Bob"]);

  await leave(bob);
  await Promise.all([seesMoving(ann, 1), seesMoving(cid, 1)]);
  assert.equal(await bob.locator(".tile").count(), 0);
  await join(bob, room, "Bob");
  await Promise.all([ann, bob, cid].map((page) => seesMoving(page, 2)));
});

test("a browser that is killed disappears from the other pages", async () => {
  const room = freshRoom();
  const { browser: doomed, kill } = await launchKillableBrowser();
  try {
    const [ann, bob] = [await open(), await open()];
    const { page: victim } = await openPage(doomed, setup.server.url);
    for (const page of [ann, bob, victim]) await join(page, room);
    await Promise.all([seesMoving(ann, 2), seesMoving(bob, 2)]);
    await kill();
    await Promise.all([seesMoving(ann, 1), seesMoving(bob, 1)]);
  } finally {
    await kill();
  }
});

test("a page that crashes disappears from the other pages", async () => {
  const room = freshRoom();
  const [ann, bob] = [await open(), await open()];
  await join(ann, room);
  await join(bob, room);
  await seesTiles(ann, 1);
  const crashed = bob.waitForEvent("crash");
  // Navigating there never finishes.
  bob.goto("chrome://crash").catch(() => {});
  await crashed;
  await seesTiles(ann, 0);
});

test("a room link with spaces, slashes and letters of other alphabets leads into that very room", async () => {
  const [kitchen, shelf] = ["Küche 50%", `b ${freshRoom()}`];
  const room = `${kitchen}/../${shelf}`;
  const ann = await open();
  await join(ann, room);
  const link = ann.url();
  assert.equal(link, `${setup.server.url}/r/${encodeURIComponent(kitchen)}/~../${encodeURIComponent(shelf)}`);

  const bob = await open(new URL(link).pathname);
  assert.equal(await bob.locator("#room").inputValue(), room);
  await bob.locator("#join").click();
  await seesMoving(ann, 1);
  await leave(bob);
  assert.equal(bob.url(), `${setup.server.url}/`);
});

test("a page without devices is told so with what to do, sees the others' pictures, and is a tile to them", async () => {
  const room = freshRoom();
  const [ann, early, late] = [await open(), await open("/", { camera: false }), await open("/", { camera: false })];
  await early.getByRole("alert").getByText("No camera was found. Plug one in, then try again.").waitFor();
  await early.getByRole("alert").getByText("No microphone was found.").waitFor();
  await join(early, room, "Early");
  await join(ann, room, "Ann");
  await seesMoving(early, 1);
  await join(late, room, "Late");
  await late.waitForFunction(() => document.querySelectorAll(".tile[data-state=connected]").length === 2);
  assert.deepEqual(await names(ann), ["Ann (you)", "Early", "Late"]);
  await late.getByRole("button", { name: "Camera on" }).click();
  await late.getByRole("status").getByText("No camera was found.").waitFor();
  await late.waitForFunction(() =>
    [...document.querySelectorAll("video")].filter((video) => video.videoWidth > 0).length === 1);
});

test("camera off and mute show at the others', the camera's light goes out, and both can be undone", async () => {
  const room = freshRoom();
  const [ann, bob] = [await open(), await open()];
  await join(ann, room, "Ann");
  await join(bob, room, "Bob");
  await seesMoving(bob, 1);
  const shown = bob.locator(".tile:not(.local)");
  const light = await ann.locator(".tile.local video").evaluateHandle((video) =>
    /** @type {any} */ (video).srcObject.getVideoTracks()[0]);

  await ann.getByRole("button", { name: "Camera off" }).click();
  await shown.locator("video").waitFor({ state: "hidden" });
  assert.equal(await light.evaluate((track) => track.readyState), "ended");
  assert.equal(await shown.locator(".avatar").textContent(), "A");
  await ann.getByRole("button", { name: "Camera on" }).click();
  await shown.locator("video").waitFor();
  await seesMoving(bob, 1);

  await ann.getByRole("button", { name: "Mute" }).click();
  await shown.getByRole("img", { name: "Muted" }).waitFor();
  await ann.getByRole("button", { name: "Unmute" }).click();
  await shown.getByRole("img", { name: "Muted" }).waitFor({ state: "hidden" });
});

test("leaving switches camera and microphone off", async () => {
  const ann = await open();
  await join(ann, freshRoom());
  const stream = await ann.locator(".tile.local video").evaluateHandle((video) => /** @type {any} */ (video).srcObject);
  await leave(ann);
  assert.ok(await stream.evaluate((stream) =>
    stream.getTracks().every((/** @type {MediaStreamTrack} */ track) => track.readyState === "ended")));
});

test("names made of markup are shown as text", async () => {
  const room = freshRoom();
  const [ann, bob] = [await open(), await open()];
  const name = '<img src=x onerror="document.title=1"><b>Bob';
  await join(ann, room);
  await join(bob, room, name);
  await seesTiles(ann, 1);
  assert.deepEqual(await names(ann), ["You", name]);
  assert.equal(await ann.locator("#tiles img, #tiles b").count(), 0);
});

test("a full room refuses in words, and the page stays in the lobby, able to join elsewhere", async () => {
  const small = await startServer(["--max-members", "1"]);
  try {
    const room = freshRoom();
    const [ann, bob] = [await open("/", { at: small.url }), await open("/", { at: small.url })];
    await join(ann, room);
    await bob.locator("#room").fill(room);
    await bob.locator("#join").click();
    await bob.getByRole("alert").getByText("This room is full.").waitFor();
    assert.ok(await bob.locator("#room").isVisible());
    assert.equal(await bob.locator(".tile").count(), 0);
    await join(bob, freshRoom());
    assert.equal(await bob.locator("#error").textContent(), "");
  } finally {
    await small.stop();
  }
});

test("an administrator's lock shows in the room and refuses newcomers in words; broadcasts are read out", async () => {
  const room = freshRoom();
  const [ann, bob] = [await open(), await open()];
  await join(ann, room);
  await administer("LockRoom", { roomId: room, locked: true });
  await ann.locator("#locked").waitFor();
  await bob.locator("#room").fill(room);
  await bob.locator("#join").click();
  await bob.getByText("This room is locked.").waitFor();
  await administer("LockRoom", { roomId: room, locked: false });
  await ann.locator("#locked").waitFor({ state: "hidden" });
  await join(bob, room);
  await administer("Broadcast", { everyone: true, content: { text: "Back at <b>six</b>." } });
  await Promise.all([ann, bob].map((page) => page.getByRole("status").getByText("Back at <b>six</b>.").waitFor()));
});

for (const [signal, how] of /** @type {const} */ ([["SIGKILL", "killed"], ["SIGTERM", "stopped"]])) {
  test(`the server is ${how} and starts again: the pages rejoin by themselves and pictures move again`, async () => {
    let fragile = await startServer();
    try {
      const room = freshRoom();
      const [ann, bob] = [await open("/", { at: fragile.url }), await open("/", { at: fragile.url })];
      await join(ann, room);
      await join(bob, room);
      await Promise.all([seesMoving(ann, 1), seesMoving(bob, 1)]);
      const oldIds = [...(await tileIds(ann)), ...(await tileIds(bob))];

      await fragile.stop(signal);
      await Promise.all([ann, bob].map((page) => page.getByText("Connecting again").waitFor()));
      fragile = await startServer([], fragile.address);
      await Promise.all([ann, bob].map((page) =>
        page.waitForFunction((oldIds) => {
          const tiles = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".tile:not(.local)")]);
          return tiles.length === 1 && tiles.every(({ dataset }) => !oldIds.includes(dataset.clientId ?? ""));
        }, oldIds)));
      await Promise.all([seesMoving(ann, 1), seesMoving(bob, 1)]);
      await ann.locator("#link-banner").waitFor({ state: "hidden" });
      // The browser itself reports each attempt that found no server.
      for (const { problems } of setup.opened) {
        problems.splice(0, Infinity, ...problems.filter((problem) => !/^WebSocket connection to .* failed/.test(problem)));
      }
    } finally {
      await fragile.stop();
    }
  });
}

function freshRoom() {
  return `room-${++rooms}`;
}

/** @param {string} path @param {{ camera?: boolean, at?: string }} options */
async function open(path = "/", { camera, at = setup.server.url } = {}) {
  const page = await setup.open(at + path, { camera });
  return page.page;
}

/** @param {import("./harness.js").Page} page */
function names(page) {
  return page.locator(".tile .name").allTextContents();
}

/** @param {string} method @param {object} request */
async function administer(method, request) {
  const buf = fileURLToPath(new URL("../node_modules/.bin/buf", import.meta.url));
  await promisify(execFile)(buf, [
    "curl", "--http2-prior-knowledge", "--protocol", "grpc", "--data", JSON.stringify(request),
    `http://${setup.server.adminAddress}/signalpost.admin.v1.AdminService/${method}`,
  ]);
}
