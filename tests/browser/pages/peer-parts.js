// Peers on a bare page, without a room or a server between them.

/** @typedef {{ Peer: typeof import("../../../client/protocol/peer.js").Peer, Connection: typeof RTCPeerConnection, connections: RTCPeerConnection[] }} Parts */

/** A page that holds the `Parts` for peers whose connections are seen. @param {ReturnType<typeof import("./harness.js").useServerAndBrowser>} setup */
export async function openParts(setup) {
  const { page } = await setup.open(setup.server.url);
  await page.evaluate(async () => {
    // A path that only the page knows; the type checker must not look for it.
    const path = "/protocol/peer.js";
    const { Peer } = await import(path);
    /** @type {RTCPeerConnection[]} */
    const connections = [];
    class Connection extends RTCPeerConnection {
      /** @param {RTCConfiguration} [configuration] */
      constructor(configuration) {
        super(configuration);
        connections.push(this);
      }
    }
    Object.assign(window, { parts: { Peer, Connection, connections } });
  });
  return page;
}
