import assert from "node:assert/strict";
import { test } from "node:test";

import { pathOf, roomFromPath, roomMeant } from "../../../client/page/headless/room-name.js";

for (const [text, roomId, problem] of /** @type {[string, string | null, string | null][]} */ ([
  [" standup ", "standup", null],
  ["café/1", "café/1", null],
  ["a/r/b", "a/r/b", null],
  ["https://example.org/r/caf%C3%A9%2F1", "café/1", null],
  ["https://example.org/r/abc/", "abc", null],
  ["https://example.org/r/abc?x=1#y", "abc", null],
  ["example.org/r/abc", "abc", null],
  ["localhost:8080/r/abc", "abc", null],
  ["192.168.0.7:8080/r/abc", "abc", null],
  ["https://example.org/r/100%", "100%", null],
  ["", null, "missing"],
  ["https://example.org/", null, "link"],
  ["https://example.org/r/", null, "link"],
  ["https://example.org/other/abc", null, "link"],
  ["http://[", null, "link"],
  ["https://example.org/r/team/~../a", "team/../a", null],
  [".", ".", null],
  ["..", "..", null],
])) {
  test(`the room meant by "${text}"`, () => assert.deepEqual(roomMeant(text), { roomId, problem }));
}

test("a room's path leads back to it, readable, and stays as it is on the way", () => {
  const segments = ["", ".", "..", "...", "~", "~.", "~~..", "~a", "a", "Küche 50%", "?#", "%2e", "%2F", "a\\b", ";", "👩‍👩‍👧"];
  const pairs = segments.flatMap((first) => segments.map((second) => `${first}/${second}`));
  const names = [...segments, ...pairs, ...pairs.flatMap((pair) => segments.map((third) => `${pair}/${third}`))];
  for (const name of names) {
    const path = pathOf(name);
    assert.equal(roomFromPath(path), name, `"${name}" by ${path}`);
    assert.equal(roomFromPath(path.replaceAll("~", "%7E")), name, "some encode tildes");
    assert.equal(new URL(path, "https://example.org").pathname, path, "as browsers resolve it");
    // nginx merges slashes and resolves dots after it has decoded the path, Apache refuses encoded slashes.
    assert.doesNotMatch(path.replace(/%2E/gi, "."), /\/\/|\/\.{1,2}(?:\/|$)|%2F/, `"${name}" by ${path}`);
  }
  assert.equal(pathOf("team/a"), "/r/team/a");
});

test("links of before, whose slashes are encoded, lead into their rooms, and a path without a room to none", () => {
  assert.equal(roomFromPath("/r/team%2F..%2Fa"), "team/../a");
  for (const path of ["/", "/r/", "/r/~", "/index.html"]) assert.equal(roomFromPath(path), "");
});
