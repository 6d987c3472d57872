// Above and below the list of people: who waits to be let in, and for hosts, how the room is closed to others.

import { button, element, make, setText } from "../parts/elements.js";
import { KeyedList } from "../parts/keyed-list.js";
import { notify } from "../parts/notices.js";
import { t } from "../texts/i18n.js";
import { nameOf } from "../texts/names.js";
import { isDone } from "./host-deed.js";

/**
 * @typedef {import("../../protocol/messages.js").Knock} Knock
 * @typedef {import("../../protocol/room.js").Room} Room
 */

const panelTitle = element("panel-title", HTMLElement);
const door = element("door", HTMLElement);
const waiting = element("waiting", HTMLElement);
const waitingTitle = element("waiting-title", HTMLElement);
const settings = element("hosting", HTMLElement);
const lockBox = element("lock-room", HTMLInputElement);
const lobbyBox = element("lobby-on", HTMLInputElement);
const passwordForm = element("room-password-form", HTMLFormElement);
const passwordInput = element("room-password", HTMLInputElement);
const setButton = button("room-password-set");
const liftButton = button("room-password-lift");

export class HostPanel {
  #room;
  #knocks;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    this.#knocks = new KeyedList(element("knocks", HTMLElement), (clientId) => this.#row(clientId), panelTitle);
    lockBox.addEventListener("change", () => this.#change({ locked: lockBox.checked }));
    lobbyBox.addEventListener("change", () => this.#change({ lobby: lobbyBox.checked }));
    passwordForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#setPassword();
    });
    liftButton.addEventListener("click", () => this.#liftPassword());
    button("admit-all").addEventListener("click", () => isDone(room.hosting.admit()));
  }

  show() {
    const { hosting, info } = this.#room;
    const states = [info?.locked && "people.locked", info?.hasPassword && "people.hasPassword", info?.lobby && "people.lobby"];
    door.hidden = hosting.isHost || !states.some(Boolean);
    setText(door, states.filter((key) => key !== undefined && key !== false).map((key) => t(key)).join(" · "));
    hide(settings, !hosting.isHost);
    lockBox.checked = info?.locked ?? false;
    lobbyBox.checked = info?.lobby ?? false;
    setText(setButton, t(info?.hasPassword ? "hosting.changePassword" : "hosting.setPassword"));
    liftButton.hidden = !info?.hasPassword;
    setText(waitingTitle, t("hosting.waiting", { count: hosting.knocks.size }));
    this.#knocks.show([...hosting.knocks]);
    hide(waiting, hosting.knocks.size === 0);
  }

  /** @param {string} clientId @returns {import("../parts/keyed-list.js").Row<Knock>} */
  #row(clientId) {
    const { hosting } = this.#room;
    const name = make("bdi");
    const admit = deed("primary small", () => hosting.admit(clientId));
    const deny = deed("small", () => hosting.deny(clientId));
    return {
      element: make("li", "", make("div", "person", name), admit, deny),
      update: (knock) => {
        const who = nameOf(knock);
        setText(name, who);
        setText(admit, t("hosting.admit"));
        setText(deny, t("hosting.deny"));
        admit.ariaLabel = t("hosting.admitOne", { name: who });
        deny.ariaLabel = t("hosting.denyOne", { name: who });
      },
    };
  }

  /** What was refused shows again as it is. @param {import("../../protocol/messages.js").RoomChange} change */
  async #change(change) {
    const done = await isDone(this.#room.hosting.updateRoom(change));
    if (!done) this.show();
    return done;
  }

  async #setPassword() {
    const password = passwordInput.value;
    if (!password) return passwordInput.focus();
    if (!(await this.#change({ password }))) return;
    passwordInput.value = "";
    notify(t("hosting.passwordSet"));
  }

  async #liftPassword() {
    // The button goes with the password.
    passwordInput.focus();
    if (await this.#change({ password: null })) notify(t("hosting.passwordLifted"));
  }
}

/** The focus must not go with it. @param {HTMLElement} section @param {boolean} hidden */
function hide(section, hidden) {
  if (hidden && section.contains(document.activeElement)) panelTitle.focus();
  section.hidden = hidden;
}

/** @param {string} className @param {() => Promise<void>} ask */
function deed(className, ask) {
  const made = make("button", className);
  made.type = "button";
  made.addEventListener("click", () => isDone(ask()));
  return made;
}
