import assert from "node:assert/strict";
import { test } from "node:test";

import { tokenIn } from "../../../client/page/headless/token.js";

for (const [fragment, token] of /** @type {[string, string | null][]} */ ([
  ["", null],
  ["#", null],
  ["#chat", null],
  ["#token=", ""],
  ["#token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.s3-_", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.s3-_"],
  ["#a=b&token=eyJ&c", "eyJ"],
  ["#mytoken=eyJ", null],
])) {
  test(`the token in ${fragment || "no fragment"}`, () => assert.equal(tokenIn(fragment), token));
}
