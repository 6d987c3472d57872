import assert from "node:assert/strict";
import { test } from "node:test";

import { withLinks } from "../../../client/page/headless/links.js";

for (const [text, hrefs] of /** @type {[string, string[]][]} */ ([
  ["no link here", []],
  ["see https://example.org/a?b=c#d, please", ["https://example.org/a?b=c#d"]],
  ["(http://example.org/x)。HTTPS://EXAMPLE.ORG!", ["http://example.org/x", "https://example.org/"]],
  ["javascript:alert(1) data:text/html,x file:///etc/passwd vbscript:x", []],
  ["javascript://https://example.org/%0aalert(1)", ["https://example.org/%0aalert(1"]],
  ['https://example.org/"onmouseover="x <a href=https://example.org/>', ["https://example.org/", "https://example.org/"]],
  ["https://example.org/\u202egro.knab//:sptth or https://\u2066example.org", ["https://example.org/"]],
  ["https:// and http://[ are no addresses", []],
])) {
  test(`links in: ${text}`, () => {
    const pieces = withLinks(text);
    assert.deepEqual(pieces.flatMap(({ href }) => href ?? []), hrefs);
    assert.equal(pieces.map((piece) => piece.text).join(""), text, "nothing is lost or added");
  });
}

test("a long row of dots in what others wrote takes no time", () => {
  const text = `http://a${".".repeat(100_000)}a`;
  const before = performance.now();
  withLinks(text);
  assert.ok(performance.now() - before < 1_000);
});
