import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

const client = new URL("../../../client/", import.meta.url);
/** Its first folder is where client/ itself stands. */
const KNOW_A_DOCUMENT = ["", "page", "page/call", "page/stage", "page/parts"];
const DRAWS_ON_A_CANVAS = "recording/composer.js";
const OF_A_DOCUMENT = new RegExp(
  "(?<![\\w$#]|(?<!globalThis)\\.)(?:document|window|location|history(?=\\.\\w+State)|customElements|getComputedStyle|getSelection|matchMedia|" +
    "requestAnimationFrame|alert|confirm|prompt|Audio|Image|Option|Document|Element|Node|\\w+Observer|(?:HTML|SVG)\\w+)\\b", "g");

const entries = await readdir(client, { recursive: true, withFileTypes: true });
const pathOf = (/** @type {import("node:fs").Dirent} */ { parentPath, name }) =>
  `${parentPath}/${name}`.replace(/\/+/g, "/").slice(client.pathname.length);
const folders = entries.filter((entry) => entry.isDirectory()).map(pathOf);
const modules = entries.filter(({ name }) => name.endsWith(".js")).map(pathOf);
const sources = new Map(await Promise.all(modules.map(async (path) =>
  /** @type {const} */ ([path, await readFile(new URL(path, client), "utf8")]))));

test("the drawing of the client names the folders that there are", async () => {
  assert.deepEqual((await drawnFolders()).sort(), folders.sort());
});

test("modules import from the folders below their own, and from their own", async () => {
  const order = ["", ...(await drawnFolders())];
  let found = 0;
  for (const path of modules) {
    for (const other of loadedBy(path)) {
      found++;
      assert.ok(sources.has(other), `${path} loads ${other}, which is not there`);
      assert.ok(order.indexOf(folderOf(other)) >= order.indexOf(folderOf(path)), `${path} loads ${other}, which is above it`);
    }
  }
  assert.ok(found > 150, `the scan found only ${found} imports`);
});

test("what is below the page's own folders knows no document", () => {
  assert.ok(mentionsOf(DRAWS_ON_A_CANVAS).length > 0, "what draws is found");
  for (const path of modules) {
    if (KNOW_A_DOCUMENT.includes(folderOf(path)) || path === DRAWS_ON_A_CANVAS) continue;
    assert.deepEqual(mentionsOf(path), [], path);
  }
});

test("the protocol's table of modules names all that they load, so that whoever copies them has them all", async () => {
  const protocol = await readFile(new URL("PROTOCOL.md", client), "utf8");
  const rows = [...protocol.slice(protocol.indexOf("| file |")).matchAll(/^\| (`.*?`) \|/gm)];
  const named = rows.flatMap(([, files]) => files.match(/[\w/-]+\.js/g) ?? []);
  assert.ok(named.includes("protocol/signaling.js") && named.includes("recording/recorder.js"));
  for (const path of named) {
    assert.ok(sources.has(path), `${path} is not there`);
    for (const other of loadedBy(path)) assert.ok(named.includes(other), `${path} loads ${other}`);
  }
});

/** From the top to the bottom. */
async function drawnFolders() {
  const readme = await readFile(new URL("README.md", client), "utf8");
  /** @type {string[]} */
  const inside = [];
  return [.../^```\n([^]*?)^```/m.exec(readme)?.[1].matchAll(/^( *)([\w-]+)\//gm) ?? []].map(([, indent, name]) => {
    inside.length = indent.length / 2;
    inside.push(name);
    return inside.join("/");
  });
}

/** With those of which only a type is meant. @param {string} path */
function loadedBy(path) {
  const found = source(path).matchAll(/(?:\bfrom |\bimport |\bimport\(|new URL\()"(\.[^"]*\.js)"/g);
  return [...found].map(([, address]) => new URL(address, new URL(path, client)).pathname.slice(client.pathname.length));
}

/** Leaves comments and strings out. @param {string} path */
function mentionsOf(path) {
  const code = source(path).replace(/(`(?:\\.|[^`\\])*`)|"(?:\\.|[^"\\\n])*"|\/\*[^]*?\*\/|\/\/.*/g, "$1");
  return code.match(OF_A_DOCUMENT) ?? [];
}

/** @param {string} path */
function source(path) {
  return sources.get(path) ?? "";
}

/** @param {string} path */
function folderOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
