import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

import { causeText, preferredLanguage, switchLanguage, t } from "../../../client/page/texts/i18n.js";
import { LEAVES, leaveKey } from "../../../client/page/texts/leaves.js";
import { CAUSES } from "../../../client/page/texts/refusals.js";
import { TEXTS } from "../../../client/page/texts/texts.js";
import { BY_A_HOST, UNEXPLAINED, closureCause } from "../../../client/protocol/messages.js";

const CLIENT = new URL("../../../client/", import.meta.url);
const protocol = await readFile(new URL("PROTOCOL.md", CLIENT), "utf8");
const table = { ...TEXTS, ...CAUSES };

test("each text is there in English and Chinese, in the letters of its language, with the same blanks", () => {
  for (const [key, { en, zh }] of Object.entries(table)) {
    assert.ok(en.trim() && zh.trim(), `${key} is empty`);
    assert.deepEqual(blanks(zh), blanks(en), `${key}: the blanks differ`);
    if (key.startsWith("language.")) continue;
    assert.doesNotMatch(en, /\p{Script=Han}/u, `${key}: Chinese letters in English`);
    const words = zh.replace(/\{\w+\}/g, "").replace(/[\s\p{P}\p{S}\d]/gu, "");
    assert.ok(!words || /\p{Script=Han}/u.test(words), `${key} is not Chinese: ${zh}`);
  }
});

test("each key that the page uses is in the table, and each of the table is used", async () => {
  const tables = ["page/texts/texts.js", "page/texts/refusals.js"];
  const files = (await readdir(CLIENT, { recursive: true })).filter((path) => /\.(js|html)$/.test(path) && !tables.includes(path));
  const sources = (await Promise.all(files.map((path) => readFile(new URL(path, CLIENT), "utf8")))).join("\n");
  const whole = [...sources.matchAll(/\bt\("([\w.-]+)"|data-(?:text|label|placeholder)="([\w.-]+)"/g)].map(([, a, b]) => a ?? b);
  assert.ok(whole.length > 80, `the scan found only ${whole.length} keys`);
  for (const key of whole) assert.ok(key in table, `${key} is not in the table`);

  // A key may be put together, as `problem.${kind}.${problem}` is.
  const built = [...sources.matchAll(/`(?:[\w.-]|\$\{[^`{}]*\})+`/g)]
    .map(([template]) => template.slice(1, -1))
    .filter((template) => /\.\$\{|\}\./.test(template))
    .map((template) => new RegExp(`^${template.replace(/\./g, "\\.").replace(/\$\{[^}]*\}/g, "[\\w-]+")}$`));
  const words = new Set([...sources.matchAll(/["`]([\w.-]+)["`]/g)].map(([, word]) => word));
  for (const key of Object.keys(table)) {
    assert.ok(words.has(key) || built.some((pattern) => pattern.test(key)), `${key} is used nowhere`);
  }
});

test("a name from right to left stays in its place in a sentence, and none can turn the rest around", () => {
  assert.equal(t("people.joined", { name: "\u05d3\u05e0\u05d9" }), "\u2068\u05d3\u05e0\u05d9\u2069 joined");
  assert.equal(t("chat.from", { name: "A\u202enn", text: "\u2069\u202e\u0627" }), "Ann: \u2068\u0627\u2069");
  assert.equal(t("people.joined", { name: "👩‍👩‍👧 Ünal 王" }), "👩‍👩‍👧 Ünal 王 joined");
});

test("blanks are filled in as they are, and the language can be switched and back", () => {
  assert.equal(t("people.joined", { name: "<b>$& Ann" }), "<b>$& Ann joined");
  switchLanguage();
  assert.equal(t("people.joined", { name: "Ann" }), "Ann 加入了");
  switchLanguage();
  assert.equal(t("people.joined", { name: "Ann" }), "Ann joined");
});

test("a code that the page knows has its words, a newer one the server's, and without any the code itself", () => {
  assert.match(causeText({ code: "room-full", text: "Room is full" }), /^This room is full\. /);
  assert.equal(causeText({ code: "moon-phase", text: "Come back at night" }), "Come back at night");
  assert.equal(causeText({ code: "moon-phase", text: "" }), "The server refused (moon-phase).");
});

test("a refusal that time makes better says how long it takes", () => {
  assert.equal(causeText({ code: "wrong-password", text: "", retryAfterMs: 11_200 }),
    "That is not the password of this room. Still to wait: 12 s.");
});

test("each code, close code and leave reason of the protocol has words of its own", () => {
  const codes = [...protocol.matchAll(/^\| `([\w-]+)` \| `(?:error|join-error|removed)`/gm)].map(([, code]) => code);
  assert.ok(codes.includes("bad-message") && codes.includes("banned") && codes.length >= 12, String(codes));
  for (const code of codes) assert.ok(`cause.${code}` in CAUSES, code);

  const closures = [...protocol.matchAll(/^\| ([14]\d{3}) \|/gm)].map(([, code]) => Number(code));
  assert.ok(closures.includes(1001) && closures.includes(4502) && closures.length >= 11, String(closures));
  for (const closure of closures) {
    const { code } = closureCause(closure, "", true);
    assert.ok(`cause.${code}` in CAUSES && code !== "lost" && code !== "ended", `${closure}: ${code}`);
  }

  const [list] = /`reason` is one of [^]*?\./.exec(protocol) ?? [""];
  const reasons = [...list.matchAll(/`([\w-]+)`/g)].map(([, reason]) => reason).slice(1);
  assert.ok(reasons.includes("left") && reasons.includes("node-lost") && reasons.length >= 14, list);
  for (const reason of reasons) assert.ok((LEAVES.get(reason) ?? "") in TEXTS, reason);
  for (const newer of ["moon-phase", "constructor", null]) assert.equal(leaveKey(newer), "people.left");
});

test("an administrator's reason is told as it is, the server's words for want of one are not", () => {
  assert.equal(causeText({ code: "removed", text: "<b>Be</b> kind" }),
    "An administrator removed you from the room. Reason: <b>Be</b> kind");
  assert.match(causeText({ code: "banned", text: "\u202eBe kind" }), /banned you.* Reason: Be kind$/);
  for (const text of ["", ...UNEXPLAINED]) {
    assert.equal(causeText({ code: "removed", text }), "An administrator removed you from the room.");
    assert.ok(protocol.replace(/\s+/g, " ").includes(text), text);
  }
  assert.ok(protocol.replace(/\s+/g, " ").includes(BY_A_HOST));
  assert.doesNotMatch(causeText({ code: "room-full", text: "Room is full" }), /Reason/);
  switchLanguage();
  assert.equal(causeText({ code: "room-closed", text: "Be kind" }), "房间已被关闭。原因：Be kind");
  switchLanguage();
});

test("the choice wins, then the first language of the browser's that there is, then English", () => {
  assert.equal(preferredLanguage("zh", ["en-GB"]), "zh");
  assert.equal(preferredLanguage(undefined, ["de-DE", "zh-TW", "en"]), "zh");
  assert.equal(preferredLanguage(undefined, ["en-GB", "zh"]), "en");
  assert.equal(preferredLanguage("xx", ["de"]), "en");
  assert.equal(preferredLanguage(null, []), "en");
});

/** @param {string} text */
function blanks(text) {
  return [...text.matchAll(/\{\w+\}/g)].map(([blank]) => blank).sort();
}
