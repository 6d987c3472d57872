import assert from "node:assert/strict";
import { test } from "node:test";

import { join, photograph, seesTiles, startServer, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const setup = useServerAndBrowser();

test("markup, right-to-left text, ten thousand characters and emoji are shown as text, and the layout holds", async () => {
  const [ann, bob] = [await open(), await open()];
  await join(ann, "strange", "Ann");
  await join(bob, "strange", '<img src=x onerror="document.title=1">');
  await seesTiles(ann, 1);
  await Promise.all([openChat(ann), openChat(bob)]);
  const texts = [
    '<img src=x onerror="document.title=1"><script>document.title=2</script>',
    "\u202Eright to left\u202C שלום עולם, مرحبا بالعالم!",
    "x".repeat(10_000),
    "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301\u0301\u0301 😀".repeat(20),
    "one\n  two",
  ];
  for (const text of texts) await say(bob, text);
  for (const page of [ann, bob]) {
    await page.waitForFunction((count) => document.querySelectorAll(".message").length === count, texts.length);
    assert.deepEqual(await page.locator(".message p").allTextContents(), texts);
    assert.equal(await page.locator(".message img, .message script, .message style").count(), 0);
    assert.match(await page.title(), /^strange/);
    await holds(page);
  }
  await photograph(ann, "chat-strange");
  await ann.setViewportSize({ width: 360, height: 640 });
  await holds(ann);
});

test("links lead to web pages only, open apart, and tell nobody where they were", async () => {
  const ann = await open();
  await join(ann, "links");
  await openChat(ann);
  await say(ann, "https://example.org/a?b=c. javascript:alert(1) (http://example.org) https://example.org/\"onclick=x");
  const links = await ann.locator(".message a").evaluateAll((links) =>
    links.map((link) => ["href", "target", "rel"].map((name) => link.getAttribute(name))));
  const apart = ["_blank", "noopener noreferrer"];
  assert.deepEqual(links, [
    ["https://example.org/a?b=c", ...apart], ["http://example.org/", ...apart], ["https://example.org/", ...apart],
  ]);
});

test("words that turn the direction around leave the address of a link as it is", async () => {
  const ann = await open();
  await join(ann, "turned");
  await openChat(ann);
  await say(ann, "\u202ehttps://example.org");
  const [first, last] = await ann.locator(".message a").evaluate(({ firstChild }) => [0, 18].map((at) => {
    const letter = new Range();
    letter.setStart(/** @type {Node} */ (firstChild), at);
    letter.setEnd(/** @type {Node} */ (firstChild), at + 1);
    return letter.getBoundingClientRect().left;
  }));
  assert.ok(first < last, `from ${first} to ${last}`);
});

test("what comes while the chat is closed is counted, read out, and there when it is opened", async () => {
  const [ann, bob] = [await open(), await open()];
  await join(ann, "unread", "Ann");
  await join(bob, "unread", "Bob");
  await seesTiles(ann, 1);
  await openChat(bob);
  await say(bob, "first");
  await say(bob, "second");
  await ann.getByRole("button", { name: "Chat, 2 unread" }).waitFor();
  await ann.getByRole("status").getByText("Bob: second").waitFor();
  await openChat(ann);
  assert.equal(await ann.locator("#chat-toggle").getAttribute("aria-label"), "Chat");
  assert.deepEqual(await ann.locator(".message p").allTextContents(), ["first", "second"]);
});

test("too long a message is not sent, the page says how long it may be, and the text stays", async () => {
  const ann = await open();
  await join(ann, "long");
  await openChat(ann);
  await ann.locator("#chat-text").fill("x".repeat(10_001));
  await ann.keyboard.press("Enter");
  await ann.getByRole("alert").getByText("Too long: 10001 of 10000 characters.").waitFor();
  assert.equal((await ann.locator("#chat-text").inputValue()).length, 10_001);
  assert.equal(await ann.locator(".message").count(), 0);
});

test("the server stops and starts: what was said and what is being typed is there, and is sent when there is a link", async () => {
  let fragile = await startServer();
  try {
    const [ann, bob] = [await open(fragile.url), await open(fragile.url)];
    await join(ann, "typing", "Ann");
    await join(bob, "typing", "Bob");
    await seesTiles(ann, 1);
    await openChat(ann);
    await say(ann, "before");
    await ann.locator("#chat-text").pressSequentially("half a sen");

    await fragile.stop();
    await ann.getByRole("status").getByText("Connecting again").waitFor();
    await ann.keyboard.type("tence");
    await ann.keyboard.press("Enter");
    await ann.getByRole("alert").getByText("Not sent: the server cannot be reached. Your text stays here.").waitFor();
    fragile = await startServer([], fragile.address);
    await ann.locator("#link-banner").waitFor({ state: "hidden" });
    await ann.waitForFunction(() => document.querySelector("#chat-problem")?.textContent === "");
    await Promise.all([ann, bob].map((page) => seesTiles(page, 1)));
    assert.equal(await ann.locator("#chat-text").inputValue(), "half a sentence");
    assert.ok(await ann.locator("#chat-text").evaluate((box) => box === document.activeElement), "the focus stays");

    await bob.locator("#link-banner").waitFor({ state: "hidden" });
    await ann.keyboard.press("Enter");
    await bob.getByRole("status").getByText("Ann: half a sentence").waitFor();
    assert.deepEqual(await ann.locator(".message p").allTextContents(), ["before", "half a sentence"]);
    // The browser itself reports each attempt that found no server.
    for (const { problems } of setup.opened) {
      problems.splice(0, Infinity, ...problems.filter((problem) => !/^WebSocket connection to .* failed/.test(problem)));
    }
  } finally {
    await fragile.stop();
  }
});

async function open(url = setup.server.url) {
  const page = await setup.open(url);
  return page.page;
}

/** @param {Page} page */
async function openChat(page) {
  await page.locator("#chat-toggle").click();
  await page.locator("#chat-text").waitFor();
}

/** @param {Page} page @param {string} text */
async function say(page, text) {
  await page.locator("#chat-text").fill(text);
  await page.locator("#chat-send").click();
  await page.waitForFunction(() => /** @type {HTMLTextAreaElement} */ (document.querySelector("#chat-text")).value === "");
}

/** Nothing scrolls sideways, and the controls and the text box are on the screen. @param {Page} page */
async function holds(page) {
  assert.deepEqual(await page.evaluate(() => {
    const log = /** @type {HTMLElement} */ (document.querySelector("#chat-log"));
    const inView = ["#chat-text", "#chat-send", "#leave", "#panel-close"].filter((selector) => {
      const box = document.querySelector(selector)?.getBoundingClientRect();
      return box && box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight;
    });
    const wide = [document.documentElement, log].filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth);
    return { inView: inView.length, wide: wide.length };
  }), { inView: 4, wide: 0 });
}
