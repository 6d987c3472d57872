// When the device changes its network: another Wi-Fi, from Wi-Fi to mobile, or back from none.

/** @param {() => void} callback @param {any} surroundings */
export function onNetworkChange(callback, surroundings = globalThis) {
  surroundings.addEventListener?.("online", callback);
  surroundings.navigator?.connection?.addEventListener?.("change", callback);
}
