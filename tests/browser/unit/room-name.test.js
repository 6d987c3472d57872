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

for (const [what, text, roomId] of [
  ["decomposed letters", "E\u0301quipe", "\u00c9quipe"],
  ["letters that compose only without what stands between", "E\u034f\u0301\u200bquipe", "\u00c9quipe"],
  ["a sign that is another one's double", "\u212b", "\u00c5"],
  ["zero-width spaces and a byte order mark", "\ufeffst\u200band\u2060up", "standup"],
  ["soft hyphens", "stand\u00adup", "standup"],
  ["controls of direction", "\u202estand\u2069up\u200f", "standup"],
  ["joiners that join nothing", "st\u200da\u200cnd\u200d", "stand"],
  ["joiners between Latin and other letters", "a\u200c\u0645", "a\u0645"],
  ["several joiners", "\u0645\u200c\u200c\u06cc", "\u0645\u06cc"],
  ["the joiner of a Persian word", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
  ["the joiner of a conjunct", "\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"],
  ["a family", "\u{1f469}\u200d\u{1f467}", "\u{1f469}\u200d\u{1f467}"],
  ["a person with a colour and a job", "\u{1f469}\u{1f3fd}\u200d\u{1f680}", "\u{1f469}\u{1f3fd}\u200d\u{1f680}"],
  ["the picture's variant of a sign", "\u26bd\ufe0f", "\u26bd"],
  ["other and several spaces", " team\u00a0 \t\u3000a\u200b ", "team a"],
  ["control characters and halves of letters", "a\u0000\ud800b", "ab"],
  ["links", "https://example.org/r/E%CC%81quipe%E2%80%8B", "\u00c9quipe"],
]) {
  test(`names that look the same are one: ${what}`, () => {
    assert.deepEqual(roomMeant(text), { roomId, problem: null });
    assert.deepEqual(roomMeant(roomId), { roomId, problem: null });
  });
}

test("a name of which nothing can be seen is none", () => {
  for (const text of ["\u200b", " \u00ad\u200d ", "\u3164", "\u2028"]) assert.equal(roomMeant(text).problem, "missing");
  assert.equal(roomMeant("https://example.org/r/%E2%80%8B").problem, "link");
});

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

test("below a base path, links have it, and are read with it and without", () => {
  assert.equal(pathOf("team/a", "/chat/"), "/chat/r/team/a");
  for (const path of ["/chat/r/team/a", "/r/team/a"]) assert.equal(roomFromPath(path, "/chat/"), "team/a");
  for (const path of ["/chat/", "/chat/r", "/other/r/a"]) assert.equal(roomFromPath(path, "/chat/"), "");
  for (const [text, roomId] of [
    ["https://example.org/chat/r/abc", "abc"],
    ["example.org/chat/r/abc", "abc"],
    ["localhost:8080/r/abc", "abc"],
    ["chat/r/abc", "chat/r/abc"],
    ["example.org/other/r/abc", "example.org/other/r/abc"],
  ]) assert.equal(roomMeant(text, "/chat/").roomId, roomId, text);
});
