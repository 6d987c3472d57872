// The list of who is here.

import { button, element, icon, make } from "../parts/elements.js";
import { t } from "../texts/i18n.js";
import { nameOf, ownName } from "../texts/names.js";

/**
 * @typedef {import("../../protocol/presence.js").Presence} Presence
 * @typedef {import("../../protocol/room.js").Room} Room
 */

const list = element("people", HTMLElement);
const toggle = button("people-toggle");
const count = element("people-count", HTMLElement);

/**
 * @param {Room} room
 * @param {string} displayName one's own
 * @param {(clientId: string) => string} noteOn what there is to say of the connection
 */
export function showPeople(room, displayName, noteOn) {
  const mates = [...room.mates.values()].sort((a, b) => turn(a) - turn(b));
  count.textContent = String(mates.length + 1);
  toggle.ariaLabel = t("control.people", { count: mates.length + 1 });
  list.replaceChildren(
    row(ownName(displayName), room.presence, ""),
    ...mates.map((mate) => row(nameOf(mate), mate.presence, noteOn(mate.clientId))),
  );
}

/** Raised hands come first, in the order in which they went up. @param {import("../../protocol/mates.js").Mate} mate */
function turn({ handRaisedAt }) {
  return handRaisedAt ?? Number.MAX_SAFE_INTEGER;
}

/** @param {string} name @param {Presence | null} presence @param {string} note */
function row(name, presence, note) {
  const notes = [
    note,
    presence?.recording ? t("people.recording") : "",
    presence?.sharing ? t("people.sharing") : "",
  ].filter(Boolean);
  const person = make("div", "person", make("bdi", "", name), make("small", "", notes.join(" · ")));
  const item = make("li", "", person);
  if (presence?.handRaised) item.append(sign("hand", t("tile.hand")));
  if (presence) item.append(sign(presence.muted ? "microphoneOff" : "microphone", presence.muted ? t("tile.muted") : ""));
  return item;
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
