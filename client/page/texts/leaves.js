// Which text says that somebody left, by the protocol's reason.

const LOST = "people.lost";

export const LEAVES = new Map([
  ["left", "people.left"],
  ["moved", "people.moved"],
  ["rejoined", "people.left"],
  // Pages that are closed say no more than that.
  ["disconnected", "people.left"],
  ["timeout", LOST],
  ["slow-consumer", LOST],
  ["rate-limited", LOST],
  ["protocol-error", LOST],
  ["server-shutdown", LOST],
  ["internal-error", LOST],
  ["removed", "people.removed"],
  ["banned", "people.banned"],
  ["room-closed", "people.closed"],
  ["node-lost", LOST],
  ["token-expired", "people.expired"],
]);

/** @param {string | null} reason */
export function leaveKey(reason) {
  return LEAVES.get(reason ?? "") ?? "people.left";
}
