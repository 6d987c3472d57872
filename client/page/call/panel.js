// The panel beside the stage: chat, people or statistics, one at a time.

import { button, element, isComposing } from "../parts/elements.js";
import { inEachLanguage, t } from "../texts/i18n.js";

/** @typedef {"chat" | "people" | "statistics"} View */

const panel = element("panel", HTMLElement);
const title = element("panel-title", HTMLElement);
const views = {
  chat: element("chat-view", HTMLElement),
  people: element("people-view", HTMLElement),
  statistics: element("statistics-view", HTMLElement),
};
const toggles = { chat: button("chat-toggle"), people: button("people-toggle"), statistics: button("statistics-toggle") };
const moreButton = button("more");

export class Panel {
  #onChange;
  /** @type {View | null} */
  view = null;

  /** @param {(view: View | null) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    toggles.chat.addEventListener("click", () => this.toggle("chat"));
    toggles.people.addEventListener("click", () => this.toggle("people"));
    button("panel-close").addEventListener("click", () => this.close());
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !isComposing(event)) this.close();
    });
    inEachLanguage(() => this.#show());
  }

  /** @param {View} view */
  toggle(view) {
    if (this.view === view) return this.close();
    this.view = view;
    this.#show();
    title.focus();
    this.#onChange(view);
  }

  close() {
    const { view } = this;
    if (!view) return;
    const hadFocus = panel.contains(document.activeElement);
    this.view = null;
    this.#show();
    // The statistics' own button hides with its menu.
    if (hadFocus) (view === "statistics" ? moreButton : toggles[view]).focus();
    this.#onChange(null);
  }

  #show() {
    panel.hidden = !this.view;
    if (this.view) title.textContent = t(`${this.view}.title`);
    for (const [name, section] of Object.entries(views)) section.hidden = name !== this.view;
    for (const name of /** @type {const} */ (["chat", "people"])) {
      toggles[name].ariaExpanded = String(name === this.view);
    }
  }
}
