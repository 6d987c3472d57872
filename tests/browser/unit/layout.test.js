import assert from "node:assert/strict";
import { test } from "node:test";

import { gridOf, spotlightOf, tilesPerPage } from "../../../client/page/headless/layout.js";

/** @typedef {import("../../../client/page/headless/layout.js").Box} Box */

const STAGES = [
  { width: 1900, height: 900 }, { width: 1256, height: 628 }, { width: 344, height: 520 }, { width: 800, height: 360 },
];

for (const stage of STAGES) {
  test(`on ${stage.width} by ${stage.height}, one to nine tiles lie inside, apart, alike and use the room well`, () => {
    for (let count = 1; count <= 9; count++) {
      const boxes = gridOf(stage, count);
      assert.equal(boxes.length, count);
      apartAndInside(boxes, stage);
      assert.equal(new Set(boxes.map(({ width, height }) => `${width} ${height}`)).size, 1);
      const used = boxes.reduce((sum, { width, height }) => sum + width * height, 0) / (stage.width * stage.height);
      assert.ok(used > 0.5, `${count} tiles use only ${(used * 100).toFixed(0)} %`);
    }
  });

  test(`on ${stage.width} by ${stage.height}, one large has most of the room, and as many others as fit`, () => {
    for (let others = 0; others <= 12; others++) {
      const { large, strip } = spotlightOf(stage, others);
      apartAndInside([large, ...strip], stage);
      assert.ok(strip.length <= others && strip.length >= Math.min(others, 2));
      assert.ok((large.width * large.height) / (stage.width * stage.height) > 0.6);
    }
  });
}

test("a page takes nine on a desk, fewer where they would be too small to see, and one at least", () => {
  assert.equal(tilesPerPage({ width: 1256, height: 628 }), 9);
  assert.equal(tilesPerPage({ width: 300, height: 200 }), 4);
  assert.equal(tilesPerPage({ width: 60, height: 60 }), 1);
});

/** @param {Box[]} boxes @param {{ width: number, height: number }} stage */
function apartAndInside(boxes, stage) {
  for (const [index, a] of boxes.entries()) {
    assert.ok(a.left >= -0.01 && a.top >= -0.01, "not outside on the left or at the top");
    assert.ok(a.left + a.width <= stage.width + 0.01 && a.top + a.height <= stage.height + 0.01, "not outside otherwise");
    for (const b of boxes.slice(index + 1)) {
      const overlap = a.left < b.left + b.width - 0.01 && b.left < a.left + a.width - 0.01 &&
        a.top < b.top + b.height - 0.01 && b.top < a.top + a.height - 0.01;
      assert.ok(!overlap, `${JSON.stringify(a)} overlaps ${JSON.stringify(b)}`);
    }
  }
}
