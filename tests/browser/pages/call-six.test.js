import assert from "node:assert/strict";
import { test } from "node:test";

import { join, launchBrowser, openPage, photograph, seesMoving, useServerAndBrowser } from "./harness.js";

// Thirty pictures are encoded, decoded and painted on one machine here, where a call has but five at each end.
const FRAMES_PER_SECOND = 4;
const SMALL = { width: 320, height: 320 };
const NAMES = ["Ann", "Bob", "Cid", "Dora", "Eve", "陈小明"];

const setup = useServerAndBrowser({ args: ["--max-members", "6"], launch: () => launchBrowser({ framesPerSecond: FRAMES_PER_SECOND }) });

test("six pages each see five moving videos, and one more is refused in words", async () => {
  const opened = [];
  for (const name of NAMES) {
    const page = await openPage(setup.browser, `${setup.server.url}/r/six`, { remembered: { microphoneOn: false } });
    opened.push(page);
    page.page.setDefaultTimeout(120_000);
    await page.page.setViewportSize(name === "Ann" ? { width: 1280, height: 760 } : SMALL);
    await join(page.page, "six", name);
    const { page: ann } = opened[0];
    if ([2, 4].includes(opened.length)) {
      await seesMoving(ann, opened.length - 1);
      await photograph(ann, `call-${opened.length}`);
    }
  }
  const pages = opened.map(({ page }) => page);
  await Promise.all(pages.map((page) => seesMoving(page, 5)));
  await photograph(pages[0], "call-6");

  const { page: seventh, problems } = await openPage(setup.browser, `${setup.server.url}/r/six`);
  await seventh.locator("#join").click();
  await seventh.getByRole("alert").getByText("This room is full. Ask somebody inside to leave, or choose another room.").waitFor();
  assert.ok(await seventh.locator("#room").isVisible());
  assert.equal(await pages[0].locator("#people-count").textContent(), "6");
  assert.deepEqual([...opened.flatMap(({ problems }) => problems), ...problems], []);
});
