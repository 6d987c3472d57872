// The client of the tutorial that the server grew from, cut out of its text and served as it is.

import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SEED = fileURLToPath(new URL("../../../../shared/seed/", import.meta.url));

// Between the first line and the last one the text is the file; around them stands prose.
const FILES = [
  { name: "index.html", first: "<!DOCTYPE html>", last: "</html>" },
  { name: "app.js", first: "class WebRTCClient {", last: "const client = new WebRTCClient();" },
  { name: "style.css", first: "/* client/style.css */", last: "}", before: /^7\. / },
];

/** @type {Record<string, string>} */
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

/** The tutorial's text, or why there is none. @returns {Promise<{ text: string } | { missing: string }>} */
export async function readTutorial() {
  const names = await readdir(SEED).catch(() => []);
  for (const name of names.filter((name) => extname(name) === ".txt")) {
    const text = await readFile(join(SEED, name), "utf8");
    if (FILES.every(({ first }) => text.includes(`\n${first}\n`))) return { text };
  }
  return { missing: "skipped: the tutorial's text is not beside the repository, in ../shared/seed" };
}

/** @param {string} text */
export async function serveTutorial(text) {
  const folder = await mkdtemp(join(tmpdir(), "signalpost-tutorial-"));
  await Promise.all(FILES.map((file) => writeFile(join(folder, file.name), cut(text, file))));
  const server = createServer(async ({ url = "/" }, response) => {
    const name = url === "/" ? "index.html" : url.slice(1);
    if (!FILES.some((file) => file.name === name)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(name)] }).end(await readFile(join(folder, name)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("no port");
  return {
    url: `http://localhost:${address.port}/`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await rm(folder, { recursive: true });
    },
  };
}

/** @param {string} text @param {typeof FILES[number]} file */
function cut(text, { first, last, before }) {
  const lines = text.split("\n");
  const start = lines.indexOf(first);
  const limit = before ? lines.findIndex((line, index) => index > start && before.test(line)) : lines.length;
  const end = before ? lines.lastIndexOf(last, limit) : lines.indexOf(last, start);
  if (start < 0 || end < start) throw new Error(`the tutorial's text lost the part from ${first} to ${last}`);
  return `${lines.slice(start, end + 1).join("\n")}\n`;
}
