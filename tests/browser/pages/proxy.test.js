import assert from "node:assert/strict";
import { after, test } from "node:test";

import { join, leave, seesTiles, useServerAndBrowser } from "./harness.js";
import { startNginx } from "./nginx.js";

const setup = useServerAndBrowser({ args: ["--base-path", "/chat"] });
/** @type {Awaited<ReturnType<typeof startNginx>>[]} */
const proxies = [];

// Not before the pages are gone: one whose link breaks complains.
after(() => Promise.all(proxies.map((proxy) => proxy.stop())));

for (const [how, path] of /** @type {const} */ ([
  ["strips the prefix", "/"],
  ["leaves the prefix", ""],
])) {
  test(`behind an nginx that ${how}, page, links, example and WebSocket are below it`, async () => {
    const proxy = await startNginx(`location /chat/ { proxy_pass http://${setup.server.address}${path}; }`);
    proxies.push(proxy);
    const { url } = proxy;
    const ann = await open(`${url}/chat/`);
    const room = "team/../a b//é";
    await join(ann, room, "Ann");
    const link = `${url}/chat/r/team/~../a%20b/~/%C3%A9`;
    assert.equal(ann.url(), link);
    await ann.reload();
    assert.equal(await ann.locator("#room").inputValue(), room);
    await ann.locator("#join").click();
    await ann.locator("#leave").waitFor();

    const bob = await open(`${url}/chat`);
    await join(bob, link, "Bob");
    const direct = await open(`${setup.server.url}/r/other`);
    await join(direct, link, "Direct");
    for (const page of [ann, bob, direct]) await seesTiles(page, 2);
    assert.equal(direct.url(), link.replace(url, setup.server.url));
    await leave(bob);
    assert.equal(bob.url(), `${url}/chat/`);

    const example = await open(`${url}/chat/example.html`);
    await example.getByText("The link is online.").waitFor();
  });
}

/** @param {string} url */
async function open(url) {
  const { page } = await setup.open(url, { remembered: { cameraOn: false } });
  return page;
}
