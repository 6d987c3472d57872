// A token in the fragment of the page's address, which browsers send to no server: #token=…

/** @param {string} fragment with its number sign @returns {string | null} */
export function tokenIn(fragment) {
  return new URLSearchParams(fragment.slice(1)).get("token");
}
