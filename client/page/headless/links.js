// Links in what others wrote.

// Controls of direction would let an address be read as another one.
const ADDRESS = /https?:\/\/[^\s\p{Bidi_Control}<>"'`。，；：！？（）【】「」]+/giu;
const TRAILING = ".,;:!?)]}。，；：！？）】」";

/**
 * The text in pieces: those with an href lead to a web page, and nothing but http and https does.
 * @param {string} text
 * @returns {{ text: string, href: string | null }[]}
 */
export function withLinks(text) {
  const pieces = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    if (!URL.canParse(address)) continue;
    if (index > end) pieces.push({ text: text.slice(end, index), href: null });
    pieces.push({ text: address, href: new URL(address).href });
    end = index + address.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end), href: null });
  return pieces;
}

/** A pattern that ends in `+$` would try every dot of a long row of them. @param {string} address */
function trimmed(address) {
  let end = address.length;
  while (end > 0 && TRAILING.includes(address.charAt(end - 1))) end--;
  return address.slice(0, end);
}
