// People before the door of a room, and those who keep it.

import { join } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

/** The size of a small phone. */
export const PHONE = { width: 360, height: 640 };

/**
 * A page in the lobby, without a camera, whose link a test can cut.
 * @param {ReturnType<typeof import("./harness.js").useServerAndBrowser>} setup
 * @param {string} [path]
 */
export async function arrive(setup, path = "/") {
  const { page } = await setup.open("about:blank");
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("None", "NotFoundError"));
    const Native = WebSocket;
    window.WebSocket = class extends Native {
      /** @param {string | URL} url */
      constructor(url) {
        super(url);
        Object.assign(window, { socket: this });
        this.addEventListener("message", (event) => {
          const mended = /** @type {Promise<void> | undefined} */ (Reflect.get(window, "mended"));
          if (!mended) return;
          event.stopImmediatePropagation();
          void mended.then(() => this.dispatchEvent(new MessageEvent("message", { data: event.data })));
        });
      }

      /** What is said over a cut link is lost, and the browser's complaint of it none of ours. @param {string} text */
      send(text) {
        if (this.readyState === this.OPEN) super.send(text);
      }
    };
  });
  await page.goto(setup.server.url + path);
  return page;
}

/** Asks for a seat, and does not wait for it. @param {Page} page @param {string} room @param {string} [name] */
export async function ask(page, room, name = "") {
  await page.locator("#room").fill(room);
  await page.locator("#name").fill(name);
  await page.locator("#join").click();
}

/** So many pages in one room, in the order in which they came. @param {Parameters<typeof arrive>[0]} setup @param {string} room @param {string[]} names */
export async function meet(setup, room, ...names) {
  const pages = [];
  for (const name of names) {
    const page = await arrive(setup);
    await join(page, room, name);
    pages.push(page);
  }
  return pages;
}

/**
 * The link goes without a word, as with a cable that is cut, and the page says so. It comes back by itself, which its
 * back-off would let it do at any time: it hears nothing until all that is to be done meanwhile is done.
 * @param {Page} page
 * @param {() => Promise<void>} [meanwhile]
 */
export async function cutLink(page, meanwhile = async () => {}) {
  await page.evaluate(() => {
    const mended = new Promise((mend) => void Object.assign(window, { mend }));
    Object.assign(window, { mended });
    /** @type {any} */ (window).socket.close();
  });
  await page.locator("#link-banner", { hasText: "Connecting again" }).waitFor();
  await meanwhile();
  await page.evaluate(() => {
    Reflect.deleteProperty(window, "mended");
    /** @type {any} */ (window).mend();
  });
}

/** @param {Page} page */
export async function isBack(page) {
  await page.locator("#notices", { hasText: "Connected again." }).waitFor();
}

/** @param {Page} page */
export async function openPeople(page) {
  await page.locator("#people-toggle").click();
  await page.locator("#people-view").waitFor();
}

/** What a host does with somebody, from the list of people. @param {Page} host @param {string} name @param {string} deed */
export async function manage(host, name, deed) {
  await host.getByRole("button", { name: `Options for ${name}` }).click();
  await host.locator("#person-dialog").getByRole("button", { name: deed, exact: true }).click();
}

/** @param {Page} page @param {string} text */
export async function isNoticed(page, text) {
  await page.locator("#notices", { hasText: text }).waitFor();
}

/** @param {Page} page @param {string} words */
export async function isRefused(page, words) {
  await page.locator("#error", { hasText: words }).waitFor();
  await page.locator("#join", { hasText: /^Join$/ }).waitFor();
}
