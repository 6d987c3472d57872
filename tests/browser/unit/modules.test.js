import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const client = new URL("../../../client/", import.meta.url);

test("the protocol's table of modules names all that they load, so that whoever copies them has them all", async () => {
  const protocol = await readFile(new URL("PROTOCOL.md", client), "utf8");
  const rows = [...protocol.slice(protocol.indexOf("| file |")).matchAll(/^\| (`.*?`) \|/gm)];
  const named = rows.flatMap(([, files]) => files.match(/[\w-]+\.js/g) ?? []);
  assert.ok(named.includes("signaling.js") && named.includes("recorder.js"));
  for (const file of named) {
    const source = await readFile(new URL(file, client), "utf8");
    for (const [, other] of source.matchAll(/(?:from |new URL\()"\.\/([\w-]+\.js)"/g)) {
      assert.ok(named.includes(other), `${file} loads ${other}`);
    }
  }
});
