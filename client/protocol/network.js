// When the device changes its network: another Wi-Fi, from Wi-Fi to mobile, or back from none.

// What comes of one change comes as several events.
const SETTLED_AFTER_MS = 300;

/**
 * @param {() => void} callback
 * @param {any} surroundings
 * @returns {() => void} ends it
 */
export function onNetworkChange(callback, surroundings = globalThis) {
  const connection = surroundings.navigator?.connection;
  let type = connection?.type;
  /** @type {any} */
  let timer;
  const changed = () => {
    surroundings.clearTimeout(timer);
    timer = surroundings.setTimeout(callback, SETTLED_AFTER_MS);
  };
  const compare = () => {
    // Each new estimate of speed or delay is such an event too; without a type there is nothing else to it.
    if (connection.type === type) return;
    type = connection.type;
    if (type !== "none") changed();
  };
  surroundings.addEventListener?.("online", changed);
  connection?.addEventListener?.("change", compare);
  return () => {
    surroundings.clearTimeout(timer);
    surroundings.removeEventListener?.("online", changed);
    connection?.removeEventListener?.("change", compare);
  };
}
