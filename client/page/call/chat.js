// The chat: what was said, and the box for what is being said.

import { CHAT_LIMIT } from "../../protocol/presence.js";
import { withLinks } from "../headless/links.js";
import { element, isComposing, make, setText } from "../parts/elements.js";
import { inEachLanguage, t } from "../texts/i18n.js";
import { nameOf } from "../texts/names.js";

/**
 * @typedef {import("../../protocol/room.js").Room} Room
 * @typedef {import("../../protocol/room.js").ChatMessage} ChatMessage
 */

const log = element("chat-log", HTMLElement);
const form = element("chat-form", HTMLFormElement);
const box = element("chat-text", HTMLTextAreaElement);
const problem = element("chat-problem", HTMLElement);

export class Chat {
  #room;
  #roomId = "";
  /** @type {() => string} in the language of the moment */
  #problem = () => "";

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    box.addEventListener("keydown", (event) => {
      // While a Chinese word is being composed, Enter takes the word.
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      this.#send();
    });
    box.addEventListener("input", () => this.#complain(tooLong(box.value)));
    room.on("chat", (message) => this.#append(message));
    room.on("chat-failed", (message) => {
      log.querySelector(`[data-id="${message.id}"]`)?.replaceWith(shown(message));
    });
    room.on("left", () => (box.value = ""));
    inEachLanguage(() => this.#translate());
  }

  focus() {
    box.focus();
    log.scrollTop = log.scrollHeight;
  }

  /** What was being written when a call broke off is there when the same room is entered again. @param {string} roomId */
  open(roomId) {
    if (roomId !== this.#roomId) box.value = "";
    this.#roomId = roomId;
    this.#complain(tooLong(box.value));
    this.#showAll();
  }

  /** The link is back, so a complaint that it was not is out of date. */
  reconnected() {
    this.#complain(tooLong(box.value));
  }

  #send() {
    if (!box.value.trim()) return;
    const long = tooLong(box.value);
    if (!long && this.#room.say(box.value)) {
      box.value = "";
      this.#complain(null);
    } else this.#complain(long ?? (() => t("chat.notSent")));
  }

  /** @param {(() => string) | null} text */
  #complain(text) {
    this.#problem = text ?? (() => "");
    problem.textContent = this.#problem();
  }

  #showAll() {
    problem.textContent = this.#problem();
    const { chat } = this.#room;
    log.replaceChildren(...(chat.length ? chat.map(shown) : [make("p", "empty", t("chat.empty"))]));
    log.scrollTop = log.scrollHeight;
  }

  /** What was said stays where it is: a screen reader would read out the whole log anew. */
  #translate() {
    const { chat } = this.#room;
    if (!chat.length) return this.#showAll();
    problem.textContent = this.#problem();
    const authors = log.querySelectorAll(".message header bdi");
    chat.forEach((message, index) => setText(authors[index], authorOf(message)));
    for (const mark of log.querySelectorAll(".message small")) mark.textContent = t("chat.failed");
  }

  /** @param {ChatMessage} message */
  #append(message) {
    log.querySelector(".empty")?.remove();
    // Who reads further up must not be carried away.
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    log.append(shown(message));
    // The room forgets the oldest of very many.
    if (log.childElementCount > this.#room.chat.length) log.firstElementChild?.remove();
    if (atEnd || message.own) log.scrollTop = log.scrollHeight;
  }
}

/** @param {ChatMessage} message */
function shown(message) {
  const { id, own, text, at, failed } = message;
  const author = make("bdi", "", authorOf(message));
  const time = make("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const said = make("p");
  said.dir = "auto";
  for (const piece of withLinks(text)) said.append(piece.href ? linkTo(piece.href, piece.text) : piece.text);
  const article = make("article", own ? "message own" : "message", make("header", "", author, time), said);
  article.dataset.id = String(id);
  if (failed) article.append(make("small", "", t("chat.failed")));
  return article;
}

/** @param {ChatMessage} message */
function authorOf({ own, name, userId, fromId }) {
  return own ? t("tile.you") : nameOf({ displayName: name, userId, clientId: fromId });
}

/** @param {string} href @param {string} text */
function linkTo(href, text) {
  const link = make("a", "", text);
  link.href = href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

/** @param {string} text */
function tooLong({ length }) {
  return length > CHAT_LIMIT ? () => t("chat.tooLong", { length, limit: CHAT_LIMIT }) : null;
}
