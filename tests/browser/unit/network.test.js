import assert from "node:assert/strict";
import { test } from "node:test";

import { onNetworkChange } from "../../../client/protocol/network.js";
import { FakeClock } from "./fakes.js";

/** @param {string} [type] */
function fakeSurroundings(type) {
  const clock = new FakeClock();
  const connection = Object.assign(new EventTarget(), { type });
  const { setTimeout, clearTimeout } = clock;
  const surroundings = Object.assign(new EventTarget(), { navigator: { connection }, setTimeout, clearTimeout });
  let calls = 0;
  const end = onNetworkChange(() => calls++, surroundings);
  const callsAfter = (/** @type {() => void} */ action) => {
    calls = 0;
    action();
    clock.pass(1_000);
    return calls;
  };
  /** @param {string} [to] */
  const turn = (to) => {
    connection.type = to;
    connection.dispatchEvent(new Event("change"));
  };
  return { end, callsAfter, turn, comeOnline: () => surroundings.dispatchEvent(new Event("online")) };
}

test("another estimate of speed is no change of network, another kind of network is", () => {
  const { callsAfter, turn } = fakeSurroundings("wifi");
  assert.equal(callsAfter(() => turn("wifi")), 0);
  assert.equal(callsAfter(() => turn("cellular")), 1);
  assert.equal(callsAfter(() => turn("none")), 0);
  assert.equal(callsAfter(() => turn("wifi")), 1);
});

test("where browsers tell no kind, estimates alone look for no new path", () => {
  const { callsAfter, turn, comeOnline } = fakeSurroundings();
  assert.equal(callsAfter(() => turn(undefined)), 0);
  assert.equal(callsAfter(comeOnline), 1);
});

test("one change that comes as two events is told once, and after the end none", () => {
  const { end, callsAfter, turn, comeOnline } = fakeSurroundings("wifi");
  const change = () => {
    turn("none");
    comeOnline();
    turn("cellular");
  };
  assert.equal(callsAfter(change), 1);
  assert.equal(callsAfter(() => {
    comeOnline();
    end();
    turn("wifi");
    comeOnline();
  }), 0);
});
