// Tokens in the address of the page, made by an administrator's backend.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathJoin } from "node:path";
import { after, test } from "node:test";

import { arrive, cutLink, isBack, isRefused, openPeople } from "./doors.js";
import { seesTiles, useServerAndBrowser } from "./harness.js";

/** @typedef {import("./harness.js").Page} Page */

const SECRET = "7c1f9ab2d05e4c6f8a3b1d2e4f60718293a4b5c6d7e8f901";
/** The server lets clocks be wrong by so much. */
const LEEWAY_S = 30;

const folder = mkdtempSync(pathJoin(tmpdir(), "signalpost-"));
writeFileSync(pathJoin(folder, "jwt.secret"), SECRET, { mode: 0o600 });
after(() => rmSync(folder, { recursive: true }));

const setup = useServerAndBrowser({ args: ["--jwt-secret-file", pathJoin(folder, "jwt.secret")] });

test("a link with a token leads in under its name and role; nothing keeps it, and nothing shows it", async () => {
  const token = tokenFor({ sub: "ann", name: "Ann of Accounts", role: "host", metadata: { team: "red" } });
  const ann = await arrive(setup, `/r/office#token=${token}`);
  await ann.waitForFunction(() => !location.href.includes("#"));
  assert.equal(ann.url(), `${setup.server.url}/r/office`);
  await enter(ann);
  await openPeople(ann);
  await ann.locator("#hosting").waitFor();
  const bob = await arrive(setup, `/r/office#token=${tokenFor({ sub: "bob" })}`);
  await enter(bob);
  await openPeople(bob);
  await bob.locator("#people").getByText("Ann of Accounts").waitFor();
  await bob.locator("#people").getByText("Host · Vouched for").waitFor();
  await ann.locator("#people").getByText("bob").waitFor();

  const kept = await ann.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
  assert.ok(!kept.includes(token) && !(await ann.content()).includes(token), kept);
  const { entries } = await (await ann.context().newCDPSession(ann)).send("Page.getNavigationHistory");
  assert.deepEqual(entries.map(({ url }) => url), ["about:blank", `${setup.server.url}/r/office`]);
});

test("whose link breaks comes back with the token that the address has no longer", async () => {
  const ann = await arrive(setup, `/r/again#token=${tokenFor({ sub: "ann" })}`);
  await enter(ann);
  await cutLink(ann);
  await isBack(ann);
});

for (const [what, token] of /** @type {[string, () => string | null][]} */ ([
  ["no token", () => null],
  ["a forged one", () => `${tokenFor({ sub: "ann" }).slice(0, -4)}AAAA`],
  ["one that has expired", () => tokenFor({ sub: "ann", exp: now() - 2 * LEEWAY_S })],
])) {
  test(`with ${what} one is refused in words`, async () => {
    const given = token();
    const page = await arrive(setup, `/r/office${given === null ? "" : `#token=${given}`}`);
    await page.locator("#join").click();
    await isRefused(page, "You need permission to enter");
    assert.ok(await page.locator("#call").isHidden());
  });
}

test("with a token of another room one is refused in words", async () => {
  const page = await arrive(setup, `/r/office#token=${tokenFor({ sub: "ann", rooms: ["kitchen", "lab-*"] })}`);
  await page.locator("#join").click();
  await isRefused(page, "You are not allowed to do that in this room, or to enter it.");
  await page.locator("#room").fill("lab-3");
  await page.locator("#join").click();
  await page.locator("#leave").waitFor();
});

test("a token that ends is told to the page around, and renewed by its address; one that is not ends the call in words", async () => {
  const exp = now() + 10;
  const [ann, bob] = [await arrive(setup), await arrive(setup)];
  await ann.evaluate(() => addEventListener("message", ({ data }) => Object.assign(window, { told: data })));
  for (const [page, sub] of /** @type {const} */ ([[ann, "ann"], [bob, "bob"]])) {
    await page.evaluate((hash) => void (location.hash = hash), `token=${tokenFor({ sub, exp })}`);
    await page.locator("#room").fill("short");
    await enter(page);
  }
  await seesTiles(ann, 1);
  await ann.waitForFunction(() => Reflect.get(window, "told")?.type === "signalpost-token-expiring");
  const { expiresInMs } = await ann.evaluate(() => Reflect.get(window, "told"));
  assert.ok(expiresInMs > 0 && expiresInMs <= 10_000, String(expiresInMs));
  await ann.evaluate((hash) => void (location.hash = hash), `token=${tokenFor({ sub: "ann" })}`);

  await isRefused(bob, "Your access has ended. Ask for a new link.");
  await ann.locator("#notices", { hasText: "bob left, as the access had ended" }).waitFor();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  assert.ok(await ann.locator("#call").isVisible());
  assert.equal(await ann.locator("#link-state").textContent(), "");
});

/** @param {Page} page */
async function enter(page) {
  await page.locator("#join").click();
  await page.locator("#leave").waitFor();
}

/** @param {object} claims */
function tokenFor(claims) {
  const encoded = (/** @type {object} */ part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded({ exp: now() + 600, ...claims })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

function now() {
  return Math.floor(Date.now() / 1_000);
}
