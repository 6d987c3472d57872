// Everybody's tiles, kept as the room says.

import { SpeakingWatch } from "../../media/speaking.js";
import { element } from "../parts/elements.js";
import { inEachLanguage, t } from "../texts/i18n.js";
import { nameOf, ownName } from "../texts/names.js";
import { Grid } from "./grid.js";
import { Tile } from "./tile.js";

/**
 * @typedef {import("../../media/capture.js").LocalMedia} LocalMedia
 * @typedef {import("../../media/capture.js").ScreenShare} ScreenShare
 * @typedef {import("../../protocol/mates.js").Mate} Mate
 * @typedef {import("../../protocol/room.js").Room} Room
 * @typedef {import("../../recording/recorder.js").Participant} Participant
 */

const OWN = "me";

const alone = element("alone", HTMLElement);

export class Stage {
  #room;
  #media;
  #share;
  #onChange;
  #grid = new Grid();
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Map<string, Tile>} */
  #screens = new Map();
  #speaking = new SpeakingWatch((id, speaking) => this.#showSpeaking(id, speaking));
  #displayName = "";

  /**
   * @param {Room} room
   * @param {LocalMedia} media
   * @param {ScreenShare} share
   * @param {() => void} onChange somebody came, went, or looks different
   */
  constructor(room, media, share, onChange) {
    this.#room = room;
    this.#media = media;
    this.#share = share;
    this.#onChange = onChange;
    room.on("mate-joined", (mate) => this.#add(mate));
    room.on("mate-left", (mate) => this.#remove(mate));
    room.on("mate-updated", (mate) => this.#update(mate));
    room.on("presence", (mate) => this.#update(mate));
    room.on("stream", (mate) => this.#update(mate));
    room.on("screen", ({ clientId, screen }) => {
      this.#showScreen(clientId, screen);
      this.#onChange();
    });
    room.on("state", ({ mate: { clientId }, state }) => {
      this.#tiles.get(clientId)?.showState(state);
      this.#onChange();
    });
    room.on("unreachable", ({ mate: { clientId }, cause }) => {
      this.#tiles.get(clientId)?.showUnreachable(cause);
      this.#onChange();
    });
    room.on("own-presence", () => this.#showOwn());
    media.on("changed", () => this.#showOwn());
    share.on("started", ({ stream }) => this.#showScreen(OWN, stream));
    share.on("ended", () => this.#showScreen(OWN, null));
    inEachLanguage(() => this.#nameAll());
  }

  /** @param {string} displayName */
  open(displayName) {
    this.#displayName = displayName;
    const tile = new Tile({ local: true, seed: displayName });
    this.#tiles.set(OWN, tile);
    this.#grid.add(tile, { first: true });
    this.#showOwn();
    this.#nameAll();
  }

  close() {
    for (const id of [...this.#screens.keys()]) this.#showScreen(id, null);
    for (const [id, tile] of this.#tiles) {
      this.#speaking.forget(id);
      this.#grid.remove(tile);
    }
    this.#tiles.clear();
  }

  /** @param {string} displayName */
  renameOwn(displayName) {
    this.#displayName = displayName;
    this.#nameAll();
  }

  /** @param {number} pages */
  turn(pages) {
    this.#grid.turn(pages);
  }

  /** Shows who is large, or else somebody whose picture there is, in a small window. */
  showInWindow() {
    const [own, ...others] = this.#tiles.values();
    const tile = this.#grid.large ?? others.find(({ element }) => !element.hidden) ?? own;
    return tile?.showInWindow();
  }

  /** @param {string} clientId what to say of the connection */
  noteOn(clientId) {
    return this.#tiles.get(clientId)?.note ?? "";
  }

  /** @returns {Participant[]} as the recorder takes them */
  participants() {
    const { stream, state } = this.#media;
    const own = { id: OWN, name: this.#displayName || t("tile.you"), stream, screen: this.#share.stream, cameraOff: !state.camera.on };
    const others = [...this.#room.mates.values()].map((mate) => ({
      id: mate.clientId,
      name: nameOf(mate),
      stream: mate.stream,
      screen: mate.screen,
      cameraOff: mate.presence?.cameraOff ?? false,
    }));
    return [own, ...others];
  }

  /** @param {Mate} mate */
  #add(mate) {
    const tile = new Tile({ seed: nameOf(mate) });
    tile.element.dataset.clientId = mate.clientId;
    this.#tiles.set(mate.clientId, tile);
    tile.showState("new");
    this.#grid.add(tile);
    this.#update(mate);
    mate.peer.on("fault", (error) => console.warn("A signal could not be used:", error));
  }

  /** @param {Mate} mate */
  #remove({ clientId }) {
    this.#speaking.forget(clientId);
    this.#showScreen(clientId, null);
    const tile = this.#tiles.get(clientId);
    if (tile) this.#grid.remove(tile);
    this.#tiles.delete(clientId);
    this.#showAlone();
    this.#onChange();
  }

  /** @param {Mate} mate */
  #update(mate) {
    const tile = this.#tiles.get(mate.clientId);
    if (!tile) return;
    const { stream, presence } = mate;
    tile.rename(nameOf(mate));
    tile.showPresence(presence);
    tile.show(stream);
    tile.showPicture(!presence?.cameraOff && Boolean(stream?.getVideoTracks().length));
    this.#screens.get(mate.clientId)?.rename(nameOf(mate), t("tile.screenOf", { name: nameOf(mate) }));
    this.#speaking.watch(mate.clientId, stream);
    this.#showAlone();
    this.#onChange();
  }

  /** @param {string} id @param {MediaStream | null} stream */
  #showScreen(id, stream) {
    const shown = this.#screens.get(id);
    if (!stream) {
      if (shown) this.#grid.remove(shown);
      this.#screens.delete(id);
      return;
    }
    const tile = shown ?? new Tile({ local: id === OWN, isScreen: true });
    if (!shown) {
      this.#screens.set(id, tile);
      this.#grid.add(tile);
    }
    const mate = this.#room.mates.get(id);
    tile.rename(mate ? nameOf(mate) : t("tile.you"), mate ? t("tile.screenOf", { name: nameOf(mate) }) : t("tile.ownScreen"));
    tile.show(stream);
    tile.showPicture(true);
  }

  #showOwn() {
    const tile = this.#tiles.get(OWN);
    if (!tile) return;
    const { state, stream } = this.#media;
    tile.show(stream);
    tile.showPicture(state.camera.on);
    tile.showPresence(this.#room.presence);
    this.#speaking.watch(OWN, state.microphone.on ? stream : null);
    if (!state.microphone.on) tile.showSpeaking(false);
    this.#onChange();
  }

  #nameAll() {
    const own = this.#displayName || t("tile.you");
    this.#tiles.get(OWN)?.rename(own, ownName(this.#displayName));
    this.#screens.get(OWN)?.rename(own, t("tile.ownScreen"));
    for (const mate of this.#room.mates.values()) this.#update(mate);
    this.#showAlone();
    this.#onChange();
  }

  #showAlone() {
    alone.hidden = this.#room.mates.size > 0;
  }

  /** @param {string} id @param {boolean} speaking */
  #showSpeaking(id, speaking) {
    const tile = this.#tiles.get(id);
    tile?.showSpeaking(speaking);
    if (tile && speaking) this.#grid.bringForward(tile);
  }
}
