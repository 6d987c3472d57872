import assert from "node:assert/strict";
import { test } from "node:test";

import { join, leave, photograph, seesMoving, seesTiles, useServerAndBrowser } from "./harness.js";

const setup = useServerAndBrowser();

test("the lobby shows a moving preview and the microphone's level, and what is chosen there is kept", async () => {
  const ann = await open();
  await ann.waitForFunction(() =>
    /** @type {HTMLVideoElement} */ (document.querySelector("#preview-video")).getVideoPlaybackQuality().totalVideoFrames > 3);
  await ann.waitForFunction(() => Number(document.querySelector("#level")?.ariaValueNow) > 10);
  await photograph(ann, "lobby");
  await ann.getByRole("button", { name: "Camera off" }).click();
  await ann.locator("#preview-video").waitFor({ state: "hidden" });
  await ann.getByRole("button", { name: "Mute" }).click();
  await join(ann, "kept", "Ann");
  assert.equal(await ann.locator("#camera").textContent(), "Camera on");
  assert.equal(await ann.locator("#microphone").textContent(), "Unmute");

  await ann.goto(setup.server.url);
  assert.equal(await ann.locator("#name").inputValue(), "Ann");
  await ann.getByRole("button", { name: "Camera on" }).click();
  await ann.locator("#preview-video").waitFor();
  assert.equal(await ann.locator("#preview-microphone").textContent(), "Unmute");
});

test("another camera and microphone are chosen in the lobby and in the call, and remembered", async () => {
  const [ann, bob] = [await open(), await open()];
  await ann.locator("#lobby-devices select").nth(1).locator("option").nth(1).waitFor({ state: "attached" });
  const microphone = ann.locator("#lobby-devices select").nth(1);
  await microphone.selectOption({ index: 1 });
  const chosen = await microphone.inputValue();
  await ann.waitForFunction((chosen) => JSON.parse(localStorage.signalpost ?? "{}").microphone === chosen, chosen);
  await join(ann, "devices", "Ann");
  await join(bob, "devices", "Bob");
  await seesMoving(bob, 1);
  await ann.locator("#more").click();
  await ann.locator("#devices-open").click();
  assert.equal(await ann.locator("#call-devices select").nth(1).inputValue(), chosen);
  await ann.locator("#call-devices select").nth(1).selectOption({ index: 2 });
  await ann.waitForFunction((chosen) => JSON.parse(localStorage.signalpost).microphone !== chosen, chosen);
  await ann.locator("#call-name").fill("Anna");
  await ann.keyboard.press("Escape");
  await bob.locator(".tile:not(.local) .name").getByText("Anna").waitFor();
  await seesMoving(bob, 1);
});

for (const [fault, words] of /** @type {const} */ ([
  ["NotAllowedError", "The browser does not allow the camera. Open the site settings beside the address"],
  ["NotReadableError", "Another program is using the camera. Close it there, then try again."],
])) {
  test(`a camera that fails with ${fault} is explained, and works when it is tried again`, async () => {
    const ann = await openFailing(fault);
    await ann.getByRole("alert").getByText(words).waitFor();
    await ann.getByText("You can join all the same").waitFor();
    await ann.evaluate(() => /** @type {any} */ (window).repair());
    await ann.getByRole("button", { name: "Try again" }).click();
    await ann.locator("#preview-video").waitFor();
    assert.equal(await ann.getByRole("alert").filter({ hasText: words }).count(), 0);
  });
}

test("the page speaks the browser's language, and the other one when it is switched, also the next time", async () => {
  const context = await setup.browser.newContext({ locale: "zh-CN" });
  const page = await context.newPage();
  try {
    await page.goto(setup.server.url);
    await page.getByRole("heading", { name: "加入通话" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await page.locator("#lobby-language").click();
    await page.getByRole("heading", { name: "Join a call" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Join a call" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
  } finally {
    await context.close();
  }
});

test("a pasted link leads into its room, a suggested name into a new one, and leaving shows the lobby without a camera", async () => {
  const ann = await open();
  await join(ann, `${setup.server.url}/r/caf%C3%A9%2F1`, "Ann");
  assert.equal(await ann.locator("#room-title").textContent(), "café/1");
  await leave(ann);
  await ann.getByText("Your camera and microphone are off.").waitFor();
  await ann.getByRole("button", { name: "Show preview" }).click();
  await ann.locator("#preview-video").waitFor();
  await ann.locator("#suggest").click();
  assert.match(await ann.locator("#room").inputValue(), /^\w{4}-\w{4}-\w{4}$/);
});

test("a raised hand, a shared screen and who is here show at the others' and go again", async () => {
  const [ann, bob] = [await open(), await open()];
  await join(ann, "seen", "Ann");
  await join(bob, "seen", "Bob");
  await seesTiles(ann, 1);
  await ann.locator("#people-toggle").click();
  await bob.locator("#hand").click();
  await ann.locator("#people").getByRole("img", { name: "Hand raised" }).waitFor();
  await ann.getByRole("status").getByText("Bob raised a hand").waitFor();
  await bob.locator("#hand").click();
  await ann.locator("#people").getByRole("img", { name: "Hand raised" }).waitFor({ state: "detached" });

  await bob.locator("#share").click();
  await ann.locator(".tile.screen").getByText("Screen of Bob").waitFor();
  await seesMoving(ann, 1);
  const [screen, camera] = await Promise.all([".tile.screen", ".tile:not(.local, .screen)"].map((selector) =>
    ann.locator(selector).boundingBox()));
  assert.ok(screen && camera && screen.width > 2 * camera.width, "the screen is large");
  await photograph(ann, "screen-share");
  await bob.getByRole("button", { name: "Stop sharing" }).click();
  await ann.locator(".tile.screen").waitFor({ state: "detached" });
  await leave(bob);
  await ann.waitForFunction(() => document.querySelector("#people-count")?.textContent === "1");
});

test("statistics show numbers and plots of each connection", async () => {
  const [ann, bob] = [await open(), await open()];
  await join(ann, "numbers", "Ann");
  await join(bob, "numbers", "Bob");
  await ann.keyboard.press("t");
  const view = ann.locator("#statistics-view");
  await view.getByText(/direct \(\w+ – \w+, udp\)/).waitFor();
  await view.getByText(/\d+ × \d+, \d+ fps/).first().waitFor();
  await ann.waitForFunction(() => [...document.querySelectorAll(".plot polyline")].length === 3 &&
    [...document.querySelectorAll(".plot polyline")].every((line) => (line.getAttribute("points") ?? "").split(" ").length > 2));
  await photograph(ann, "statistics");
  await ann.evaluate(() => getSelection()?.selectAllChildren(/** @type {Element} */ (document.querySelector(".facts dt"))));
  const points = await view.locator("polyline").first().getAttribute("points");
  await ann.waitForFunction((points) => document.querySelector(".plot polyline")?.getAttribute("points") !== points, points);
  assert.equal(await ann.evaluate(() => String(getSelection())), "Picture", "what is selected stays so");
});

test("everyone in the room is told that somebody records, also who comes later, and that it ended; the file is offered", async () => {
  // What is told is the matter here; three moving pictures more would only slow the recorder down.
  const still = { remembered: { cameraOn: false } };
  const [ann, bob, cid] = [await open(), await open(still), await open(still)];
  await ann.evaluate(() => Reflect.deleteProperty(window, "showSaveFilePicker"));
  await join(ann, "recorded", "Ann");
  await join(bob, "recorded", "Bob");
  await seesTiles(ann, 1);
  await ann.locator("#more").click();
  await ann.getByRole("button", { name: "Record the call" }).click();
  await ann.getByText(/^Recording \d+:\d\d$/).waitFor();
  await bob.getByRole("status").getByText("Ann is recording this call.").waitFor();
  await join(cid, "recorded", "Cid");
  for (const page of [bob, cid]) await page.locator("#recording-badge").getByText("Ann is recording").waitFor();
  await photograph(bob, "recording");
  await ann.locator("#more").click();
  await ann.getByRole("button", { name: "Stop recording" }).click();
  const download = ann.getByRole("button", { name: "Download the recording" });
  await download.waitFor();
  const saved = ann.waitForEvent("download");
  await download.click();
  assert.match((await saved).suggestedFilename(), /^signalpost-[\d-]+\.webm$/);
  for (const page of [bob, cid]) await page.locator("#recording-badge").waitFor({ state: "hidden" });
});

test("who does not fit on the stage is on another page of it", async () => {
  // Who speaks comes to the first page.
  const silent = { remembered: { microphoneOn: false } };
  const pages = [await open(silent), await open(silent), await open(silent)];
  for (const [index, page] of pages.entries()) await join(page, "paged", `Number ${index + 1}`);
  const [ann] = pages;
  await seesTiles(ann, 2);
  assert.ok(await ann.locator("#pager").isHidden());
  await ann.setViewportSize({ width: 210, height: 300 });
  await ann.getByText("1 of 2").waitFor();
  const visible = () => ann.locator(".tile:visible .name").allTextContents();
  const first = await visible();
  await ann.keyboard.press("]");
  await ann.getByText("2 of 2").waitFor();
  assert.ok(await ann.locator("#page-next").isDisabled());
  const all = [...first, ...(await visible())].sort();
  assert.deepEqual(all, ["Number 1 (you)", "Number 2", "Number 3"]);
  await ann.locator("#page-previous").click();
  await ann.getByText("1 of 2").waitFor();
});

/** @param {{ camera?: boolean, remembered?: Record<string, unknown> }} [options] */
async function open(options) {
  const page = await setup.open(setup.server.url, options);
  return page.page;
}

/** A page whose camera and microphone fail until it calls `repair`. @param {string} fault */
async function openFailing(fault) {
  const { page } = await setup.open("about:blank");
  await page.addInitScript((fault) => {
    const working = navigator.mediaDevices.getUserMedia;
    navigator.mediaDevices.getUserMedia = async () => {
      throw new DOMException("Cannot", fault);
    };
    Object.assign(window, { repair: () => (navigator.mediaDevices.getUserMedia = working) });
  }, fault);
  await page.goto(setup.server.url);
  return page;
}
