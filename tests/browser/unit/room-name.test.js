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
  [".", null, "dots"],
  ["..", null, "dots"],
  ["...", "...", null],
])) {
  test(`the room meant by "${text}"`, () => assert.deepEqual(roomMeant(text), { roomId, problem }));
}

test("a room's path leads back to it, and one without a room to none", () => {
  for (const roomId of ["standup", "Küche 50% a/b/", "...", "?#"]) assert.equal(roomFromPath(pathOf(roomId)), roomId);
  for (const path of ["/", "/r/", "/index.html"]) assert.equal(roomFromPath(path), "");
});
