import assert from "node:assert/strict";
import { test } from "node:test";

import { arrive, cutLink } from "./doors.js";
import { join, seesMoving, startServer, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const setup = useServerAndBrowser();

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

test("who is removed while writing finds the half sentence in the same room, and in no other", async () => {
  const ann = await open();
  await join(ann, "draft");
  await ann.locator("#chat-toggle").click();
  await ann.locator("#chat-text").fill("half a sen");
  // As an administrator's removal from the room, without one.
  await sayToPage(ann, { type: "removed", code: "removed", reason: "" });
  await ann.getByRole("alert").getByText("An administrator removed you").waitFor();
  await join(ann, "draft");
  assert.equal(await ann.locator("#chat-text").inputValue(), "half a sen");
  await sayToPage(ann, { type: "removed", code: "removed", reason: "" });
  await join(ann, "other");
  assert.equal(await ann.locator("#chat-text").inputValue(), "");
});

test("a seat that is not free yet after a reconnect is waited for, with the words for it", async () => {
  const small = await startServer(["--max-members", "1"]);
  try {
    const at = { ...setup, server: small };
    const [ann, ghost] = [await arrive(at), await arrive(at)];
    await join(ann, "seat");
    await cutLink(ann, () => join(ghost, "seat"));
    await ann.getByRole("status").getByText("This room is full.").waitFor();
    await ghost.locator("#leave").click();
    await ann.locator("#link-banner").waitFor({ state: "hidden" });
    assert.ok(await ann.locator("#call").isVisible());
  } finally {
    await small.stop();
  }
});

test("who comes back or goes is not told that the others came, left, raised a hand or share", async () => {
  const [ann, bob] = [await open(), await open()];
  await join(ann, "settled", "Ann");
  await join(bob, "settled", "Bob");
  await bob.locator("#hand").click();
  await bob.locator("#share").click();
  await ann.getByRole("status").getByText("Bob raised a hand").waitFor();
  await ann.getByRole("status").getByText("Bob shares the screen").waitFor();
  await ann.evaluate(() => {
    /** @type {string[]} */
    const noticed = [];
    Object.assign(window, { noticed });
    const observer = new MutationObserver((changes) =>
      noticed.push(...changes.flatMap(({ addedNodes }) => [...addedNodes].map(({ textContent }) => String(textContent)))));
    observer.observe(/** @type {Element} */ (document.querySelector("#notices")), { childList: true });
    for (const tile of document.querySelectorAll(".tile")) tile.classList.add("before");
    /** @type {any} */ (window).sockets.at(-1).close();
  });
  const again = ann.locator(".tile:not(.local, .screen, .before)");
  await again.getByRole("img", { name: "Hand raised" }).waitFor();
  await ann.locator(".tile.screen:not(.before)").waitFor();
  await ann.locator("#leave").click();
  await ann.getByRole("heading", { name: "Join a call" }).waitFor();
  assert.deepEqual(await ann.evaluate(() => /** @type {any} */ (window).noticed), ["Connected again."]);
});

test("what the server refuses is told in words, and a message that may not have got there is marked", async () => {
  const ann = await open();
  await join(ann, "refused");
  await ann.locator("#chat-toggle").click();
  // A server that does not know the type of what is said.
  await ann.evaluate(() => {
    const socket = /** @type {any} */ (window).sockets.at(-1);
    const send = socket.send.bind(socket);
    socket.send = (/** @type {string} */ text) => send(text.replace('"type":"message"', '"type":"massage"'));
  });
  await ann.locator("#chat-text").fill("hello");
  await ann.keyboard.press("Enter");
  await ann.locator(".message.own").getByText("Perhaps not sent").waitFor();
  await ann.getByRole("status").getByText("The server is older than this page").waitFor();
  await sayToPage(ann, { type: "error", code: "peer-not-found", message: "No such client in your room" });
  assert.equal(await ann.locator("#notices p").count(), 1);
});

test("a very long chat keeps to its limit on the page too", async () => {
  const ann = await open();
  await join(ann, "long");
  const mate = { clientId: "talker", userId: null, displayName: "Bob", metadata: null };
  await sayToPage(ann, { type: "user-joined", ...mate });
  await sayToPage(ann, ...Array.from({ length: 2_003 }, (_, index) =>
    ({ type: "message", fromId: "talker", fromUserId: null, content: { text: String(index + 1) } })));
  await ann.locator("#chat-toggle").click();
  assert.equal(await ann.locator(".message").count(), 2_000);
  assert.equal(await ann.locator(".message p").first().textContent(), "4");
});

test("keys with which a Chinese word is composed neither send the message nor close the panel, in Safari too", async () => {
  const ann = await open();
  await join(ann, "pinyin");
  await ann.locator("#chat-toggle").click();
  await ann.locator("#chat-text").fill("ni");
  await ann.locator("#chat-text").evaluate((box) => {
    for (const key of ["Enter", "Escape"]) {
      for (const composing of [{ isComposing: true }, { keyCode: 229 }]) {
        box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...composing }));
      }
    }
  });
  assert.equal(await ann.locator(".message").count(), 0);
  assert.ok(await ann.locator("#chat-text").isVisible());
});

test("dialogs opened from the menu give the focus back to its button, and close with the call", async () => {
  const ann = await open();
  await join(ann, "dialogs");
  for (const opener of ["#devices-open", "#shortcuts-open"]) {
    await ann.locator("#more").press("Enter");
    await ann.locator(opener).press("Enter");
    await ann.locator("dialog[open]").waitFor();
    await ann.keyboard.press("Escape");
    await ann.waitForFunction(() => document.activeElement?.id === "more");
  }
  await ann.keyboard.press("?");
  await ann.locator("#shortcuts-dialog").waitFor();
  await sayToPage(ann, { type: "removed", code: "removed", reason: "" });
  await ann.getByRole("alert").getByText("An administrator removed you").waitFor();
  assert.equal(await ann.locator("dialog[open]").count(), 0);
});

test("a shared screen is large until everyone is to be alike, and again when somebody wants it so", async () => {
  const [ann, bob] = [await open(), await open()];
  await ann.emulateMedia({ reducedMotion: "reduce" });
  await join(ann, "sizes", "Ann");
  await join(bob, "sizes", "Bob");
  await bob.locator("#share").click();
  const screen = ann.locator(".tile.screen");
  await screen.waitFor();
  const widths = async () => {
    const boxes = await Promise.all([screen, ann.locator(".tile.local")].map((tile) => tile.boundingBox()));
    return boxes.map((box) => box?.width ?? 0);
  };
  for (const [label, large] of /** @type {const} */ ([["Show everyone alike", false], ["Show Screen of Bob large", true]])) {
    await screen.getByRole("button", { name: label }).press("Enter");
    const [shared, own] = await widths();
    assert.equal(shared > 2 * own, large, `${label}: ${shared} beside ${own}`);
  }
});

test("who wants a picture in a small window is told that there is none, or that there is no window", async () => {
  const ann = await open();
  await join(ann, "small");
  const inTile = ann.getByRole("button", { name: "You in a small window" });
  assert.ok(await inTile.isDisabled());
  await ann.locator("#more").click();
  await ann.locator("#picture-in-picture").click();
  await ann.getByRole("status").getByText("No picture to show in a small window: You").waitFor();

  const { page: bob, problems } = await setup.open(setup.server.url);
  await join(bob, "smaller");
  await seesMoving(bob, 1, ".tile.local video");
  await bob.evaluate(() => {
    HTMLVideoElement.prototype.requestPictureInPicture = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await bob.getByRole("button", { name: "You in a small window" }).press("Enter");
  await bob.getByRole("status").getByText("The small window could not be opened.").waitFor();
  assert.equal(problems.splice(0).length, 1, "who looks for the cause finds it on the console");
});

test("notices reach who has a dialog open, and what must not be missed stays until it is dismissed", async () => {
  const ann = await open();
  await join(ann, "noticed");
  await ann.keyboard.press("?");
  await sayToPage(ann, { type: "user-joined", clientId: "bob", userId: null, displayName: "Bob", metadata: null });
  await ann.locator("#shortcuts-dialog").getByRole("status").getByText("Bob joined").waitFor();
  await ann.keyboard.press("Escape");

  await sayToPage(ann, { type: "broadcast", content: { text: "Back at six." } });
  await ann.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new DOMException("No", "NotAllowedError"))));
  await ann.locator("#copy-link").click();
  const link = ann.getByRole("textbox", { name: "The link to this room" });
  await link.click();
  assert.equal(await ann.evaluate(() => getSelection()?.toString()), `${setup.server.url}/r/noticed`);
  const lasting = ann.locator("#notices p:not(.passing)");
  assert.equal(await lasting.count(), 2);
  for (let count = 2; count > 0; count--) await lasting.getByRole("button", { name: "Dismiss" }).first().click();
  assert.equal(await lasting.count(), 0);
});

test("what stays on the page follows a switch of the language, and no message is put there anew", async () => {
  const ann = await open();
  await join(ann, "languages");
  await sayToPage(ann, { type: "broadcast", content: { text: "Back at six." } });
  await ann.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new DOMException("No", "NotAllowedError"))));
  await ann.locator("#copy-link").click();
  await ann.locator("#chat-toggle").click();
  await ann.locator("#chat-text").fill("hello");
  await ann.keyboard.press("Enter");
  await sayToPage(ann,
    { type: "user-joined", clientId: "0123-bob", userId: null, displayName: null, metadata: null },
    { type: "message", fromId: "0123-bob", fromUserId: null, content: { text: "hi" } });
  const authors = ann.locator(".message header bdi");
  const [, before] = await authors.allTextContents();
  await ann.locator(".message").evaluateAll((messages) => messages.forEach((message) => message.classList.add("before")));
  await ann.locator("#panel-close").click();
  await ann.locator("#more").click();
  await ann.locator("#call-language").click();
  const notices = ann.locator("#notices p:not(.passing)");
  assert.deepEqual(await notices.getByRole("button").allTextContents(), ["知道了", "知道了"]);
  await notices.getByText("此房间的链接").waitFor();
  await notices.getByRole("textbox", { name: "此房间的链接" }).waitFor();
  assert.deepEqual(await authors.allTextContents(), ["你", before.replace("Guest", "访客")]);
  assert.equal(await ann.locator(".message.before").count(), 2);
});

test("notices longer than a phone's screen scroll to the button that dismisses them, and leave the controls free", async () => {
  const ann = await open();
  await join(ann, "lengthy");
  await ann.setViewportSize({ width: 360, height: 640 });
  await sayToPage(ann, ...["a ", "b "].map((word) => ({ type: "broadcast", content: { text: word.repeat(500) } })));
  const lasting = ann.locator("#notices p:not(.passing)");
  await ann.locator("#hand").click({ trial: true, timeout: 3_000 });
  await lasting.first().hover({ position: { x: 40, y: 40 } });
  await ann.mouse.wheel(0, 10_000);
  await ann.waitForFunction(() => (document.querySelector("#notices")?.scrollTop ?? 0) > 100);
  for (let count = 2; count > 0; count--) {
    await lasting.getByRole("button", { name: "Dismiss" }).last().click({ timeout: 3_000 });
  }
  assert.equal(await lasting.count(), 0);
});

test("the words for a lost link are in a region that was there before them, and its button keeps the focus near", async () => {
  const ann = await open({ patient: true });
  await join(ann, "lost");
  const region = await ann.getByRole("status").filter({ has: ann.locator("#link-state") }).elementHandle();
  assert.ok(await region?.evaluate((region) => getComputedStyle(region).display !== "none"));
  assert.ok(await ann.locator("#link-banner").isHidden());
  await ann.evaluate(() => {
    const socket = /** @type {any} */ (window).sockets.at(-1);
    socket.onclose({ code: 4001, reason: "" });
  });
  await ann.getByRole("button", { name: "Try now" }).press("Enter");
  await ann.waitForFunction(() => document.activeElement?.id === "link-banner");
});

test("the focus stays near what it was on: the preview's buttons, a refused Join, the last page of the stage", async () => {
  const ann = await open();
  const focused = (/** @type {string} */ id) => ann.waitForFunction((id) => document.activeElement?.id === id, id);
  await ann.getByRole("button", { name: "Try again" }).press("Enter");
  await focused("preview-camera");
  await ann.evaluate(() => {
    const alert = /** @type {Element} */ (document.querySelector("#error"));
    Object.assign(window, { said: 0 });
    new MutationObserver(() => /** @type {any} */ (window).said++).observe(alert, { childList: true });
  });
  await ann.locator("#room").fill("x".repeat(200));
  await ann.locator("#join").press("Enter");
  await ann.getByRole("alert").getByText("This is not a valid room name.").waitFor();
  await focused("join");
  await ann.getByRole("button", { name: "Camera" }).click();
  assert.equal(await ann.evaluate(() => /** @type {any} */ (window).said), 1, "what stays the same is not said again");

  const others = Array.from({ length: 3 }, (_, index) =>
    ({ type: "user-joined", clientId: `mate-${index}`, userId: null, displayName: null, metadata: null }));
  await join(ann, "pages");
  await ann.setViewportSize({ width: 210, height: 300 });
  await sayToPage(ann, ...others);
  await ann.getByText("1 of 2").waitFor();
  await ann.locator("#page-next").press("Enter");
  await ann.getByText("2 of 2").waitFor();
  await focused("page-next");
  assert.ok(await ann.locator("#page-next").isDisabled());
});

test("why somebody cannot be reached stays on the smallest tile and in People while it is tried again", async () => {
  const pages = [await open({ relayOnly: true }), await open({ relayOnly: true })];
  for (const page of pages) await join(page, "apart");
  const [ann] = pages;
  await ann.waitForFunction(() => /** @type {any} */ (window).connections.at(-1)?.remoteDescription);
  await ann.evaluate(() => {
    const connection = /** @type {any} */ (window).connections.at(-1);
    for (const name of ["iceconnectionstate", "connectionstate"]) {
      const property = name === "connectionstate" ? "connectionState" : "iceConnectionState";
      Object.defineProperty(connection, property, { value: "failed" });
      connection[`on${name}change`]();
    }
  });
  const words = "Cannot be reached from your network: this server has no TURN server to relay the call.";
  await ann.keyboard.press("p");
  await ann.locator("#people").getByText(words).waitFor();
  await ann.keyboard.press("p");
  await ann.setViewportSize({ width: 245, height: 236 });
  await ann.waitForFunction(() => [...document.querySelectorAll(".tile")].every(({ clientWidth }) => clientWidth < 120));
  const note = ann.locator(".tile:not(.local) .note");
  await note.getByText(words).waitFor();
  assert.ok(await note.evaluate((note) => note.scrollHeight <= note.clientHeight &&
    note.clientHeight <= /** @type {HTMLElement} */ (note.parentElement).clientHeight), "the words fit");
});

/** What a server would say if it had a reason to. @param {Page} page @param {object[]} messages */
function sayToPage(page, ...messages) {
  return page.evaluate((messages) => {
    const socket = /** @type {any} */ (window).sockets.at(-1);
    for (const message of messages) socket.onmessage({ data: JSON.stringify(message) });
  }, messages);
}

/** @param {{ camera?: boolean, relayOnly?: boolean, patient?: boolean }} [options] a page without devices, since most here are no matter of them */
async function open({ camera = false, relayOnly = false, patient = false } = {}) {
  const { page } = await setup.open("about:blank");
  await page.addInitScript(({ camera, relayOnly, patient }) => {
    if (!camera) navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("None", "NotFoundError"));
    // A first back-off of a minute, so that what a test does meanwhile is done.
    if (patient) Math.random = () => 60;
    /** @type {WebSocket[]} */
    const sockets = [];
    const Native = WebSocket;
    /** @type {RTCPeerConnection[]} */
    const connections = [];
    const Connection = RTCPeerConnection;
    Object.assign(window, {
      connections,
      RTCPeerConnection: class extends Connection {
        /** @param {RTCConfiguration} configuration */
        constructor(configuration) {
          super({ ...configuration, iceTransportPolicy: relayOnly ? "relay" : "all" });
          connections.push(this);
        }
      },
      sockets,
      WebSocket: class extends Native {
        /** @param {string} url */
        constructor(url) {
          super(url);
          sockets.push(this);
        }
      },
    });
  }, { camera, relayOnly, patient });
  await page.goto(setup.server.url);
  return page;
}
