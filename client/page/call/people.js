// The list of who is here.

import { button, element, icon, make, setIcon, setText } from "../parts/elements.js";
import { KeyedList } from "../parts/keyed-list.js";
import { t } from "../texts/i18n.js";
import { nameOf, ownName } from "../texts/names.js";

/**
 * @typedef {import("../../protocol/mates.js").Mate} Mate
 * @typedef {import("../../protocol/messages.js").Role} Role
 * @typedef {import("../../protocol/presence.js").Presence} Presence
 * @typedef {import("../../protocol/room.js").Room} Room
 *
 * @typedef {{ name: string, role: Role, vouched: boolean, presence: Presence | null, note: string, isManaged: boolean }} Person
 */

const OWN = "me";

const list = element("people", HTMLElement);
const toggle = button("people-toggle");
const count = element("people-count", HTMLElement);
const knocking = element("knocking", HTMLElement);

export class People {
  #room;
  #noteOn;
  #list;

  /**
   * @param {Room} room
   * @param {(clientId: string) => string} noteOn what there is to say of the connection
   * @param {(clientId: string) => void} onChosen a host wants to do something with somebody
   */
  constructor(room, noteOn, onChosen) {
    this.#room = room;
    this.#noteOn = noteOn;
    this.#list = new KeyedList(list, (clientId) => row(() => onChosen(clientId)), element("panel-title", HTMLElement));
  }

  /** @param {string} displayName one's own */
  show(displayName) {
    const { hosting, presence } = this.#room;
    const mates = [...this.#room.mates.values()].sort((a, b) => turn(a) - turn(b));
    this.#showCount(mates.length + 1, hosting.knocks.size);
    const own = { name: ownName(displayName), role: hosting.role, vouched: false, presence, note: "", isManaged: false };
    this.#list.show([[OWN, own], ...mates.map((mate) => /** @type {[string, Person]} */ ([mate.clientId, this.#person(mate)]))]);
  }

  /** @param {number} people @param {number} waiting */
  #showCount(people, waiting) {
    count.textContent = String(people);
    knocking.hidden = waiting === 0;
    // Drawn, not written: the button's label says it in words.
    knocking.dataset.count = String(waiting);
    toggle.ariaLabel = waiting ? t("control.peopleAndWaiting", { count: people, waiting }) : t("control.people", { count: people });
  }

  /** @param {Mate} mate @returns {Person} */
  #person(mate) {
    const { clientId, role, vouched, presence } = mate;
    const { isHost } = this.#room.hosting;
    return { name: nameOf(mate), role, vouched: vouched !== undefined, presence, note: this.#noteOn(clientId), isManaged: isHost };
  }
}

/** Raised hands come first, in the order in which they went up. @param {Mate} mate */
function turn({ handRaisedAt }) {
  return handRaisedAt ?? Number.MAX_SAFE_INTEGER;
}

/** @param {() => void} onChosen @returns {import("../parts/keyed-list.js").Row<Person>} */
function row(onChosen) {
  const name = make("bdi");
  const notes = make("small");
  const signs = make("span", "signs");
  const manage = make("button", "quiet icon-only");
  manage.type = "button";
  manage.ariaHasPopup = "dialog";
  setIcon(manage, "more");
  manage.addEventListener("click", onChosen);
  return {
    element: make("li", "", make("div", "person", name, notes), signs, manage),
    update: (person) => {
      setText(name, person.name);
      setText(notes, notesOn(person).join(" · "));
      signs.replaceChildren(...signsOf(person.presence));
      manage.hidden = !person.isManaged;
      manage.ariaLabel = t("hosting.about", { name: person.name });
    },
  };
}

/** @param {Person} person */
function notesOn({ role, vouched, presence, note }) {
  return [
    role === "member" ? "" : t(`people.${role}`),
    vouched ? t("people.vouched") : "",
    note,
    presence?.recording ? t("people.recording") : "",
    presence?.sharing ? t("people.sharing") : "",
  ].filter(Boolean);
}

/** @param {Presence | null} presence */
function signsOf(presence) {
  if (!presence) return [];
  const microphone = sign(presence.muted ? "microphoneOff" : "microphone", presence.muted ? t("tile.muted") : "");
  return presence.handRaised ? [sign("hand", t("tile.hand")), microphone] : [microphone];
}

/** @param {string} name @param {string} text */
function sign(name, text) {
  const made = make("span", "sign", icon(name));
  if (text) {
    made.role = "img";
    made.ariaLabel = text;
  }
  return made;
}
