import assert from "node:assert/strict";
import { test } from "node:test";

import { join, leave, seesMoving, useServerAndBrowser } from "./harness.js";

const setup = useServerAndBrowser();

test("one joins before the browser's question is answered, and is seen when it is; a refusal is told in the call", async () => {
  const [ann, bob] = [await openAsked(), await openAsked()];
  for (const page of [ann, bob]) await join(page, "asked");
  await answer(ann, true);
  await seesMoving(bob, 1);
  await answer(bob, false);
  await bob.getByRole("status").getByText("The browser does not allow the camera.").waitFor();
});

test("the lobby keeps what was changed in the call: the name, and that microphone and camera are off", async () => {
  const { page } = await setup.open(setup.server.url);
  await join(page, "kept", "Ann");
  await page.getByRole("button", { name: "Camera off" }).click();
  await page.getByRole("button", { name: "Mute" }).click();
  await page.locator("#more").click();
  await page.locator("#devices-open").click();
  await page.locator("#call-name").fill("Anna");
  await page.keyboard.press("Escape");
  await leave(page);
  await page.getByText("Your camera and microphone are off.").waitFor();
  assert.equal(await page.locator("#name").inputValue(), "Anna");
  assert.equal(await page.locator("#preview-microphone").textContent(), "Unmute");
  assert.equal(await page.locator("#preview-camera").textContent(), "Camera on");
  await page.locator("#join").click();
  await page.locator("#leave").waitFor();
  assert.equal(await page.locator("#camera").textContent(), "Camera on");
});

test("a microphone that was chosen and muted is the one that is opened after a reload, when it is switched on", async () => {
  const { page } = await setup.open(setup.server.url);
  const select = page.locator("#lobby-devices select").nth(1);
  await select.locator("option").nth(2).waitFor({ state: "attached" });
  await select.selectOption({ index: 2 });
  const chosen = await select.inputValue();
  await page.waitForFunction((chosen) => JSON.parse(localStorage.signalpost ?? "{}").microphone === chosen, chosen);
  await join(page, "chosen");
  await page.getByRole("button", { name: "Mute" }).click();
  await page.reload();
  await page.locator("#preview-video").waitFor();
  await page.locator("#join").click();
  // The lobby has a button of the same name.
  await page.locator("#leave").waitFor();
  await page.getByRole("button", { name: "Unmute" }).click();
  await page.getByRole("button", { name: "Mute" }).waitFor();
  const opened = await page.locator(".tile.local video").evaluate((video) =>
    /** @type {any} */ (video).srcObject.getAudioTracks()[0].getSettings().deviceId);
  assert.equal(opened, chosen);
  assert.equal(await page.locator("#call-devices select").nth(1).inputValue(), chosen);
});

for (const how of /** @type {const} */ (["finger", "keyboard", "mouse"])) {
  test(`the microphone's level is unlocked by the first touch that the browser takes for one: ${how}`, async () => {
    const context = await setup.browser.newContext({ hasTouch: how === "finger" });
    const page = await context.newPage();
    try {
      await page.addInitScript(() => {
        // As where sound waits for whoever is there; a test's own evaluations would count as somebody.
        AudioContext.prototype.resume = async () => {
          const { type, pointerType } = /** @type {any} */ (window.event ?? {});
          const counts = pointerType === "mouse" ? "pointerdown" : "pointerup";
          if (!["keydown", "mousedown", "touchend", counts].includes(type)) return new Promise(() => {});
          Object.assign(window, { unlocked: (Reflect.get(window, "unlocked") ?? 0) + 1 });
        };
      });
      await page.goto(setup.server.url);
      await page.locator("#preview-video").waitFor();
      const touch = () => {
        if (how === "keyboard") return page.keyboard.press("Shift");
        const title = page.getByRole("heading", { name: "Join a call" });
        return how === "finger" ? title.tap() : title.click();
      };
      await page.locator("#name").focus();
      await touch();
      await page.waitForFunction(() => Reflect.get(window, "unlocked") > 0);
      const times = await page.evaluate(() => Reflect.get(window, "unlocked"));
      await touch();
      assert.equal(await page.evaluate(() => Reflect.get(window, "unlocked")), times, "once is enough");
    } finally {
      await context.close();
    }
  });
}

test("a link without a room is refused in words, and one with a slash at its end leads into its room", async () => {
  const { page } = await setup.open(setup.server.url);
  await page.locator("#room").fill(`${setup.server.url}/`);
  await page.locator("#join").click();
  await page.getByRole("alert").getByText("This link leads to no room.").waitFor();
  await page.goto(`${setup.server.url}/r/slashed/`);
  assert.equal(await page.locator("#room").inputValue(), "slashed");
});

/** A page whose browser asks for camera and microphone until the test answers. */
async function openAsked() {
  const { page } = await setup.open("about:blank");
  await page.addInitScript(() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    const answered = new Promise((resolve) => Object.assign(window, { answer: resolve }));
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      if (await answered) return real(constraints);
      throw new DOMException("no", "NotAllowedError");
    };
  });
  await page.goto(setup.server.url);
  return page;
}

/** @param {import("./harness.js").Page} page @param {boolean} allow */
function answer(page, allow) {
  return page.evaluate((allow) => /** @type {any} */ (window).answer(allow), allow);
}
