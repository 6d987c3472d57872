// Where the tiles go: arithmetic only, in pixels.

/**
 * @typedef {{ left: number, top: number, width: number, height: number }} Box
 * @typedef {{ width: number, height: number }} Size
 */

export const GAP = 8;
const WIDEST = 16 / 9;
const NARROWEST_ON_WIDE = 4 / 3;
const NARROWEST_ON_TALL = 3 / 4;
const MOST_PER_PAGE = 9;
const LEAST_TILE_AREA = 110 * 110;
const STRIP_SHARE = 0.22;

/** How many tiles a page of the grid takes. @param {Size} stage */
export function tilesPerPage({ width, height }) {
  return Math.max(1, Math.min(MOST_PER_PAGE, Math.floor((width * height) / LEAST_TILE_AREA)));
}

/**
 * Alike boxes, as large as they can be, the last row centred.
 * @param {Size} stage
 * @param {number} count
 * @returns {Box[]}
 */
export function gridOf({ width, height }, count) {
  const narrowest = width > height ? NARROWEST_ON_WIDE : NARROWEST_ON_TALL;
  let best = { columns: 1, width: 0, height: 0, area: -1 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const tile = fit((width - GAP * (columns - 1)) / columns, (height - GAP * (rows - 1)) / rows, narrowest);
    const area = tile.width * tile.height;
    if (area > best.area) best = { columns, area, ...tile };
  }
  const rows = Math.ceil(count / best.columns);
  const top = (height - rows * (best.height + GAP) + GAP) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / best.columns);
    const inRow = Math.min(best.columns, count - row * best.columns);
    const left = (width - inRow * (best.width + GAP) + GAP) / 2;
    return {
      left: left + (index - row * best.columns) * (best.width + GAP),
      top: top + row * (best.height + GAP),
      width: best.width,
      height: best.height,
    };
  });
}

/**
 * One large box, and a strip of small ones: beside it where the stage is wide, below it where it is tall.
 * @param {Size} stage
 * @param {number} others
 * @returns {{ large: Box, strip: Box[] }} the strip holds as many as fit
 */
export function spotlightOf({ width, height }, others) {
  const large = { left: 0, top: 0, width, height };
  if (others === 0) return { large, strip: [] };
  const beside = width > height;
  const length = beside ? height : width;
  const depth = Math.min(220, Math.max(96, (beside ? width : height) * STRIP_SHARE));
  const step = beside ? depth / 1.5 : depth * 1.2;
  const fitting = Math.max(1, Math.min(others, Math.floor((length + GAP) / (step + GAP))));
  const start = (length - fitting * (step + GAP) + GAP) / 2;
  if (beside) large.width -= depth + GAP;
  else large.height -= depth + GAP;
  const strip = Array.from({ length: fitting }, (_, index) => {
    const along = start + index * (step + GAP);
    return beside
      ? { left: width - depth, top: along, width: depth, height: step }
      : { left: along, top: height - depth, width: step, height: depth };
  });
  return { large, strip };
}

/** @param {number} width @param {number} height @param {number} narrowest */
function fit(width, height, narrowest) {
  if (width > height * WIDEST) return { width: height * WIDEST, height };
  return { width, height: Math.min(height, width / narrowest) };
}
