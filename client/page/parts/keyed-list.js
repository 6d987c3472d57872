// A list whose rows stay while what they show changes: what is rebuilt loses the focus, and a press that has begun.

/**
 * @template Item
 * @typedef {{ element: HTMLElement, update: (item: Item) => void }} Row
 */

/** @template Item */
export class KeyedList {
  #list;
  #makeRow;
  #fallback;
  /** @type {Map<string, Row<Item>>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} list
   * @param {(key: string) => Row<Item>} makeRow
   * @param {HTMLElement} fallback takes the focus of a row that goes
   */
  constructor(list, makeRow, fallback) {
    this.#list = list;
    this.#makeRow = makeRow;
    this.#fallback = fallback;
  }

  /** @param {[key: string, item: Item][]} items */
  show(items) {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const hadFocus = focused !== null && this.#list.contains(focused);
    const keys = new Set(items.map(([key]) => key));
    for (const [key, { element }] of this.#rows) {
      if (keys.has(key)) continue;
      element.remove();
      this.#rows.delete(key);
    }
    for (const [index, [key, item]] of items.entries()) {
      const row = this.#rows.get(key) ?? this.#makeRow(key);
      this.#rows.set(key, row);
      row.update(item);
      const there = this.#list.children[index];
      if (there !== row.element) this.#list.insertBefore(row.element, there ?? null);
    }
    // A row that moves loses it as one that goes does.
    if (hadFocus && document.activeElement !== focused) (this.#list.contains(focused) ? focused : this.#fallback).focus();
  }
}
