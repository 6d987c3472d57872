// The call: the stage, the panel beside it, the controls below, and what there is to be told.

import { recall, remember } from "../headless/remembered.js";
import { DevicePicker } from "../parts/device-picker.js";
import { button, element, make } from "../parts/elements.js";
import { notify, notifyForGood, words } from "../parts/notices.js";
import { Stage } from "../stage/stage.js";
import { inEachLanguage, switchLanguage, t } from "../texts/i18n.js";
import { leaveKey } from "../texts/leaves.js";
import { nameOf } from "../texts/names.js";
import { Chat } from "./chat.js";
import { Controls } from "./controls.js";
import { HostPanel } from "./host-panel.js";
import { MuteRequest } from "./mute-request.js";
import { Panel } from "./panel.js";
import { People } from "./people.js";
import { PersonDialog } from "./person-dialog.js";
import { RecordingControl } from "./recording-control.js";
import { listenForShortcuts } from "./shortcuts.js";
import { StatisticsPanel } from "./statistics-panel.js";

/**
 * @typedef {import("../../media/capture.js").LocalMedia} LocalMedia
 * @typedef {import("../../media/capture.js").ScreenShare} ScreenShare
 * @typedef {import("../../protocol/presence.js").Presence} Presence
 * @typedef {import("../../protocol/mates.js").Mate} Mate
 * @typedef {import("../../protocol/room.js").Room} Room
 */

const SHOWN_OF_MESSAGE = 120;

const screen = element("call", HTMLElement);
const roomTitle = element("room-title", HTMLElement);
const lockedBadge = element("locked", HTMLElement);
const moreButton = button("more");
const menu = element("more-menu", HTMLElement);
const chatToggle = button("chat-toggle");
const unreadMark = element("unread", HTMLElement);
const fullScreenButton = button("full-screen");
const windowButton = button("picture-in-picture");
const coloursButton = button("colours");
const devicesDialog = element("devices-dialog", HTMLDialogElement);
const nameInput = element("call-name", HTMLInputElement);

export class Call {
  #room;
  #share;
  #displayName = "";
  #unread = 0;
  /** @type {Map<string, Presence>} */
  #presenceById = new Map();
  #stage;
  #chat;
  #statistics;
  #recording;
  #controls;
  #panel;
  #people;
  #hostPanel;
  #muteRequest;

  /** @param {Room} room @param {LocalMedia} media @param {ScreenShare} share */
  constructor(room, media, share) {
    this.#room = room;
    this.#share = share;
    const person = new PersonDialog(room);
    this.#people = new People(room, (clientId) => this.#stage.noteOn(clientId), (clientId) => person.open(clientId));
    this.#hostPanel = new HostPanel(room);
    this.#stage = new Stage(room, media, share, () => this.#showPeople());
    this.#chat = new Chat(room);
    this.#statistics = new StatisticsPanel(room, (clientId) => this.#stage.noteOn(clientId));
    this.#recording = new RecordingControl(room, () => this.#stage.participants());
    this.#controls = new Controls(room, media, share);
    this.#muteRequest = new MuteRequest(room, media, () => this.#controls.mute());
    this.#panel = new Panel((view) => this.#showView(view));
    new DevicePicker(element("call-devices", HTMLElement), media);
    this.#listenToRoom();
    this.#listenToPeople();
  }

  /** @param {string} roomId @param {string} displayName */
  open(roomId, displayName) {
    this.#displayName = displayName;
    roomTitle.textContent = roomId;
    nameInput.value = displayName;
    screen.hidden = false;
    this.#stage.open(displayName);
    this.#chat.open(roomId);
    this.#statistics.start();
    this.#showUnread();
    roomTitle.focus();
  }

  close() {
    this.#recording.stop();
    this.#muteRequest.close();
    this.#share.stop();
    this.#panel.close();
    this.#statistics.stop();
    this.#stage.close();
    this.#unread = 0;
    menu.hidePopover();
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    if (document.fullscreenElement) document.exitFullscreen();
    screen.hidden = true;
  }

  get isOpen() {
    return !screen.hidden;
  }

  #listenToRoom() {
    const room = this.#room;
    room.on("joined", ({ room: { locked } }) => {
      lockedBadge.hidden = !locked;
      this.#chat.reconnected();
      this.#showPeople();
    });
    room.on("room-updated", ({ locked }) => {
      lockedBadge.hidden = !locked;
      this.#showPeople();
    });
    room.on("role-changed", ({ role, mate }) => this.#announceRole(role, mate));
    room.on("knock", (knock) => {
      this.#announce("people.knocks", nameOf(knock));
      this.#showPeople();
    });
    room.on("knock-ended", () => this.#showPeople());
    room.on("mate-joined", (mate) => this.#announce("people.joined", nameOf(mate)));
    room.on("mate-left", (mate) => {
      this.#presenceById.delete(mate.clientId);
      this.#announce(leaveKey(mate.leaveReason), nameOf(mate));
    });
    room.on("screen", (mate) => {
      // Who tells no presence shares all the same.
      if (mate.screen && !mate.presence) this.#announce("people.shares", nameOf(mate));
    });
    room.on("presence", (mate) => this.#announceChange(mate));
    room.on("chat", ({ own, name, userId, fromId, text }) => {
      if (own || this.#panel.view === "chat") return;
      this.#unread++;
      this.#showUnread();
      const author = nameOf({ displayName: name, userId, clientId: fromId });
      const beginning = text.length > SHOWN_OF_MESSAGE ? `${text.slice(0, SHOWN_OF_MESSAGE)}…` : text;
      notify(t("chat.from", { name: author, text: beginning }));
    });
  }

  #listenToPeople() {
    button("copy-link").addEventListener("click", copyLink);
    button("call-language").addEventListener("click", switchLanguage);
    button("statistics-toggle").addEventListener("click", () => this.#panel.toggle("statistics"));
    button("devices-open").addEventListener("click", () => devicesDialog.showModal());
    nameInput.addEventListener("change", () => this.#rename(nameInput.value.trim()));
    // Before what was chosen is done: a dialog gives the focus back to where it was when it opened.
    menu.addEventListener("click", () => {
      menu.hidePopover();
      moreButton.focus();
    }, { capture: true });
    fullScreenButton.hidden = !document.fullscreenEnabled;
    fullScreenButton.addEventListener("click", toggleFullScreen);
    document.addEventListener("fullscreenchange", showFullScreen);
    windowButton.hidden = !document.pictureInPictureEnabled;
    windowButton.addEventListener("click", () => this.#stage.showInWindow());
    coloursButton.addEventListener("click", () => remember("lightCall", recall("lightCall") !== true));
    coloursButton.addEventListener("click", showColours);
    listenForShortcuts(screen, {
      mute: () => this.#controls.toggleMicrophone(),
      camera: () => this.#controls.toggleCamera(),
      share: () => this.#controls.toggleShare(),
      hand: () => this.#controls.toggleHand(),
      chat: () => this.#panel.toggle("chat"),
      people: () => this.#panel.toggle("people"),
      statistics: () => this.#panel.toggle("statistics"),
      fullScreen: toggleFullScreen,
      previousPage: () => this.#stage.turn(-1),
      nextPage: () => this.#stage.turn(1),
    });
    inEachLanguage(() => {
      showFullScreen();
      showColours();
      this.#showUnread();
    });
  }

  /** @param {import("./panel.js").View | null} view */
  #showView(view) {
    this.#statistics.setOpen(view === "statistics");
    if (view === "people") this.#showPeople();
    if (view !== "chat") return;
    this.#unread = 0;
    this.#showUnread();
    this.#chat.focus();
  }

  #showUnread() {
    unreadMark.hidden = this.#unread === 0;
    unreadMark.textContent = this.#unread > 99 ? "99+" : String(this.#unread);
    chatToggle.ariaLabel = this.#unread ? t("control.unread", { count: this.#unread }) : t("control.chat");
  }

  #showPeople() {
    // The stage speaks before the constructor is done.
    if (!this.#stage) return;
    this.#people.show(this.#displayName);
    this.#hostPanel.show();
    this.#recording.update();
  }

  /** @param {string} displayName */
  #rename(displayName) {
    this.#displayName = displayName;
    remember("name", displayName);
    this.#room.rename(displayName);
    this.#stage.renameOwn(displayName);
  }

  /** What somebody tells first is how they were all along, as after each reconnect. @param {Mate} mate */
  #announceChange(mate) {
    const { clientId, presence: now } = mate;
    const before = this.#presenceById.get(clientId);
    if (now) this.#presenceById.set(clientId, now);
    if (!before || !now) return;
    if (now.handRaised && !before.handRaised) this.#announce("people.hand", nameOf(mate));
    if (now.sharing && !before.sharing) this.#announce("people.shares", nameOf(mate));
  }

  /** @param {import("../../protocol/messages.js").Role} role @param {Mate | null} mate */
  #announceRole(role, mate) {
    this.#showPeople();
    if (!mate) notify(t(role === "host" ? "hosting.isYou" : "hosting.isNotYou"));
    else if (role === "host") this.#announce("people.isHost", nameOf(mate));
  }

  /** Nobody comes or goes in truth where oneself comes or goes. @param {string} key @param {string} name */
  #announce(key, name) {
    if (this.#room.seated) notify(t(key, { name }));
  }
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    notify(t("link.copied"));
  } catch {
    const link = Object.assign(make("input"), { readOnly: true, value: location.href, ariaLabel: t("link.show") });
    link.dataset.label = "link.show";
    link.addEventListener("focus", () => link.select());
    notifyForGood(words("span", "link.show"), ": ", link);
  }
}

async function toggleFullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen();
  } catch (error) {
    console.warn("No full screen:", error);
  }
}

function showFullScreen() {
  const label = fullScreenButton.querySelector("span");
  if (label) label.textContent = t(document.fullscreenElement ? "control.endFullScreen" : "control.fullScreen");
}

function showColours() {
  const light = recall("lightCall") === true;
  document.documentElement.classList.toggle("light-call", light);
  const label = coloursButton.querySelector("span");
  if (label) label.textContent = t(light ? "control.darkColours" : "control.lightColours");
}
