// What a host may do with one of the others.

import { button, element, setText } from "../parts/elements.js";
import { notify } from "../parts/notices.js";
import { t } from "../texts/i18n.js";
import { nameOf } from "../texts/names.js";
import { isDone } from "./host-deed.js";

/**
 * @typedef {import("../../protocol/mates.js").Mate} Mate
 * @typedef {import("../../protocol/room.js").Room} Room
 */

const AN_HOUR_S = 3_600;

const dialog = element("person-dialog", HTMLDialogElement);
const title = element("person-title", HTMLElement);
const hostButton = button("make-host");

export class PersonDialog {
  #room;
  /** @type {Mate | null} */
  #mate = null;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    const { hosting } = room;
    this.#onChoice(button("ask-to-mute"), async (mate) => {
      if (await isDone(hosting.askToMute(mate.clientId))) notify(t("hosting.asked", { name: nameOf(mate) }));
    });
    this.#onChoice(hostButton, ({ clientId, role }) => isDone(hosting.setRole(clientId, role === "host" ? "member" : "host")));
    this.#onChoice(button("remove-person"), ({ clientId }) => isDone(hosting.remove(clientId)));
    this.#onChoice(button("remove-for-an-hour"), ({ clientId }) => isDone(hosting.remove(clientId, AN_HOUR_S)));
    dialog.addEventListener("close", () => (this.#mate = null));
    room.on("mate-updated", (mate) => this.#update(mate));
    room.on("mate-left", (mate) => {
      if (mate === this.#mate) dialog.close();
    });
    room.on("role-changed", () => {
      if (!hosting.isHost) dialog.close();
    });
  }

  /** @param {string} clientId */
  open(clientId) {
    const mate = this.#room.mates.get(clientId);
    if (!mate) return;
    this.#mate = mate;
    this.#update(mate);
    dialog.showModal();
  }

  /** @param {Mate} mate */
  #update(mate) {
    if (mate !== this.#mate) return;
    setText(title, nameOf(mate));
    setText(hostButton, t(mate.role === "host" ? "hosting.unmakeHost" : "hosting.makeHost"));
  }

  /** @param {HTMLButtonElement} choice @param {(mate: Mate) => void} deed */
  #onChoice(choice, deed) {
    choice.addEventListener("click", () => {
      const mate = this.#mate;
      dialog.close();
      if (mate) deed(mate);
    });
  }
}
