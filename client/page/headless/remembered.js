// What somebody chose last time: one object in the browser's store.

const KEY = "signalpost";

/** @param {string} name @returns {unknown} */
export function recall(name) {
  return readAll()[name];
}

/** @param {string} name @param {string | boolean | null} value */
export function remember(name, value) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...readAll(), [name]: value }));
  } catch {
    // A full or forbidden store only means choosing again next time.
  }
}

/** @returns {Record<string, unknown>} */
function readAll() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof stored === "object" && stored ? stored : {};
  } catch {
    return {};
  }
}
