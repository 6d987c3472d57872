import assert from "node:assert/strict";
import { mock, test } from "node:test";

test("a page that does not answer a tick gets no more of them until it does", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  let ticks = 0;
  const worker = { postMessage: () => ticks++, onmessage: (/** @type {{ data: number | null }} */ _) => {} };
  Object.assign(globalThis, { self: worker });
  const path = "../../../client/recording/ticker.js";
  await import(path);
  worker.onmessage({ data: 40 });
  mock.timers.tick(40);
  assert.equal(ticks, 1);
  mock.timers.tick(400);
  assert.equal(ticks, 1, "nothing piles up");
  worker.onmessage({ data: null });
  mock.timers.tick(40);
  assert.equal(ticks, 2);
});
