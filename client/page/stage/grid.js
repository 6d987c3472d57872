// The tiles on the stage: all alike, or one large; in pages when there are many.

import { GAP, gridOf, spotlightOf, tilesPerPage } from "../headless/layout.js";
import { button, element, setText } from "../parts/elements.js";
import { inEachLanguage, t } from "../texts/i18n.js";

/** @typedef {import("./tile.js").Tile} Tile */

const PAGER_HEIGHT = 44;

const stage = element("stage", HTMLElement);
const list = element("tiles", HTMLElement);
const pager = element("pager", HTMLElement);
const previousButton = button("page-previous");
const nextButton = button("page-next");
const pageNumber = element("page-number", HTMLElement);

export class Grid {
  /** @type {Tile[]} */
  #tiles = [];
  /** @type {Tile | null} */
  #pinned = null;
  /** Screens that nobody wants large any more. @type {WeakSet<Tile>} */
  #small = new WeakSet();
  #page = 0;
  #pages = 1;

  constructor() {
    new ResizeObserver(() => this.#arrange()).observe(stage);
    previousButton.addEventListener("click", () => this.turn(-1));
    nextButton.addEventListener("click", () => this.turn(1));
    inEachLanguage(() => this.#arrange());
  }

  /** @param {Tile} tile @param {{ first?: boolean }} options */
  add(tile, { first = false } = {}) {
    if (first) this.#tiles.unshift(tile);
    else this.#tiles.push(tile);
    tile.onPin = () => this.#togglePin(tile);
    // A tile that moves in the document restarts its video, so each has its place by style alone.
    if (first) list.prepend(tile.element);
    else list.append(tile.element);
    this.#arrange();
  }

  /** @param {Tile} tile */
  remove(tile) {
    this.#tiles = this.#tiles.filter((other) => other !== tile);
    if (this.#pinned === tile) this.#pinned = null;
    tile.remove();
    this.#arrange();
  }

  /** @param {number} pages forward, or back if negative */
  turn(pages) {
    this.#page += pages;
    this.#arrange();
  }

  /** The one that is shown large, if any. */
  get large() {
    const isLarge = (/** @type {Tile} */ tile) => tile.isScreen && !tile.local && !this.#small.has(tile);
    return this.#pinned ?? this.#tiles.findLast(isLarge) ?? null;
  }

  /** Brings who speaks to the first page, in the place of who was there last. @param {Tile} tile */
  bringForward(tile) {
    const at = this.#tiles.indexOf(tile);
    const lastVisible = this.#visible().at(-1);
    if (at < 0 || this.#page > 0 || !tile.element.hidden || !lastVisible) return;
    const other = this.#tiles.indexOf(lastVisible);
    [this.#tiles[at], this.#tiles[other]] = [lastVisible, tile];
    this.#arrange();
  }

  /** @param {Tile} tile */
  #togglePin(tile) {
    const wasLarge = tile === this.large;
    this.#pinned = wasLarge ? null : tile;
    // "Show everyone alike" means the screens too, until another one is shared.
    if (wasLarge) for (const other of this.#tiles) this.#small.add(other);
    this.#arrange();
  }

  #visible() {
    return this.#tiles.filter((tile) => !tile.element.hidden && tile !== this.large);
  }

  #arrange() {
    const size = { width: stage.clientWidth, height: stage.clientHeight };
    if (!size.width || !size.height) return;
    const { large } = this;
    const others = this.#tiles.filter((tile) => tile !== large);
    const boxesFor = (/** @type {number} */ count, /** @type {import("../headless/layout.js").Size} */ space) =>
      large ? spotlightOf(space, count) : { large: null, strip: gridOf(space, Math.min(count, tilesPerPage(space))) };

    let space = size;
    if (boxesFor(others.length, space).strip.length < others.length) {
      space = { width: size.width, height: size.height - PAGER_HEIGHT - GAP };
    }
    const perPage = Math.max(1, boxesFor(others.length, space).strip.length);
    this.#pages = Math.max(1, Math.ceil(others.length / perPage));
    this.#page = Math.min(Math.max(0, this.#page), this.#pages - 1);
    const shown = others.slice(this.#page * perPage, (this.#page + 1) * perPage);
    const boxes = boxesFor(large ? others.length : shown.length, space);
    for (const tile of others) tile.place(null);
    shown.forEach((tile, index) => tile.place(boxes.strip[index] ?? null));
    if (large) large.place(boxes.large);
    for (const tile of this.#tiles) tile.showPinned(tile === large);
    this.#showPager();
  }

  #showPager() {
    pager.hidden = this.#pages === 1;
    // Not disabled: that would take the focus from whoever turned to the last page.
    previousButton.ariaDisabled = String(this.#page === 0);
    nextButton.ariaDisabled = String(this.#page === this.#pages - 1);
    setText(pageNumber, this.#pages === 1 ? "" : t("stage.page", { page: this.#page + 1, pages: this.#pages }));
  }
}
