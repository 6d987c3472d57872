import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { launchBrowser, startServer } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

/** @type {import("./harness.js").Browser} */
let browser;
/** Another site: `?src=` is shown in a frame, allowed what `?allow=` says. */
const site = createServer((request, response) => {
  const { searchParams: wanted } = new URL(request.url ?? "", "http://site");
  const policy = wanted.get("policy");
  response.writeHead(200, { "content-type": "text/html", ...(policy && { "permissions-policy": policy }) });
  response.end(`<!doctype html><link rel="icon" href="data:,"><iframe src="${wanted.get("src")}" allow="${wanted.get("allow")}"></iframe>`);
});
let siteUrl = "";

before(async () => {
  browser = await launchBrowser();
  await once(site.listen(0, "127.0.0.1"), "listening");
  siteUrl = `http://localhost:${/** @type {import("node:net").AddressInfo} */ (site.address()).port}`;
});
after(async () => {
  await browser.close();
  site.close();
});

test("a site that is named shows the client in a frame, and a call there has the camera that the site allows", async () => {
  const server = await startServer(["--frame-ancestor", siteUrl]);
  try {
    const page = await open(server.url, { allow: "camera; microphone" });
    const frame = page.frameLocator("iframe");
    await frame.locator("#preview-video").waitFor();
    await frame.locator("#room").fill("framed");
    await frame.locator("#join").click();
    await frame.locator("#leave").waitFor();
    assert.equal(await frame.locator("#camera").textContent(), "Camera off");
  } finally {
    await server.stop();
  }
});

for (const [how, options] of /** @type {const} */ ([
  ["does not hand on the camera", { allow: "microphone" }],
  ["has a policy that keeps it", { allow: "camera; microphone", policy: "camera=(self)" }],
])) {
  test(`where a site ${how}, the frame has none`, async () => {
    const server = await startServer(["--frame-ancestor", siteUrl]);
    try {
      const page = await open(server.url, options);
      await page.frameLocator("iframe").getByText("The browser does not allow the camera.").waitFor();
    } finally {
      await server.stop();
    }
  });
}

test("a site that is not named shows nothing", async () => {
  const server = await startServer();
  try {
    const page = await open(server.url, { allow: "camera; microphone" });
    const [, frame] = page.frames();
    assert.match(frame.url(), /^chrome-error:/);
  } finally {
    await server.stop();
  }
});

/** @param {string} src @param {{ allow: string, policy?: string }} options */
async function open(src, { allow, policy = "" }) {
  const page = await browser.newPage();
  await page.goto(`${siteUrl}/?${new URLSearchParams({ src, allow, policy })}`);
  return page;
}
