// How well each peer is connected, in numbers and small plots.

import { StatsSampler } from "../../protocol/stats.js";
import { drawing, element, make, setText } from "../parts/elements.js";
import { inEachLanguage, t } from "../texts/i18n.js";
import { nameOf } from "../texts/names.js";

/**
 * @typedef {import("../../protocol/mates.js").Mate} Mate
 * @typedef {import("../../protocol/room.js").Room} Room
 * @typedef {import("../../protocol/stats.js").Sample} Sample
 */

const KEPT = 60;
const PLOT = { width: 100, height: 30 };

const view = element("statistics-view", HTMLElement);

export class StatisticsPanel {
  #room;
  #sampler;
  #noteOn;
  #open = false;
  #alone = make("p", "empty");
  /** @type {Map<string, MateStatistics>} */
  #shown = new Map();

  /** @param {Room} room @param {(clientId: string) => string} noteOn what there is to say of the connection */
  constructor(room, noteOn) {
    this.#room = room;
    this.#noteOn = noteOn;
    this.#sampler = new StatsSampler(room, { keep: KEPT });
    this.#sampler.on("sampled", () => this.show());
    view.append(this.#alone);
    inEachLanguage(() => this.show());
  }

  /** Samples are taken as long as a call lasts, so that the plots have a past when somebody looks. */
  start() {
    this.#sampler.start();
  }

  stop() {
    this.#sampler.stop();
  }

  /** @param {boolean} open */
  setOpen(open) {
    this.#open = open;
    this.show();
  }

  show() {
    if (!this.#open) return;
    const { mates } = this.#room;
    this.#alone.hidden = mates.size > 0;
    setText(this.#alone, t("statistics.alone"));
    for (const [clientId, { element }] of this.#shown) {
      if (mates.has(clientId)) continue;
      element.remove();
      this.#shown.delete(clientId);
    }
    for (const mate of mates.values()) this.#showMate(mate);
  }

  /** @param {Mate} mate */
  #showMate(mate) {
    const shown = this.#shown.get(mate.clientId) ?? new MateStatistics();
    shown.show(nameOf(mate), this.#noteOn(mate.clientId) || t("state.connected"), this.#sampler.history(mate.clientId));
    if (this.#shown.has(mate.clientId)) return;
    this.#shown.set(mate.clientId, shown);
    view.append(shown.element);
  }
}

/** The numbers of one connection, which change in place: whoever reads or selects them is not disturbed. */
class MateStatistics {
  #name = make("h3");
  #note = make("p", "hint");
  #plots = { roundTrip: new Plot("roundTrip"), loss: new Plot("loss"), down: new Plot("down") };
  #facts = { camera: new Fact("camera"), screen: new Fact("screen"), sent: new Fact("sent"), up: new Fact("up"), path: new Fact("path") };
  element = make("article", "mate", this.#name, this.#note,
    make("div", "plots", ...Object.values(this.#plots).map(({ element }) => element)),
    make("dl", "facts", ...Object.values(this.#facts).flatMap(({ elements }) => elements)));

  /** @param {string} name @param {string} note @param {readonly Sample[]} history */
  show(name, note, history) {
    const last = history.at(-1);
    setText(this.#name, name);
    setText(this.#note, note);
    this.#plots.roundTrip.show(history.map(({ roundTripMs }) => roundTripMs), milliseconds(last?.roundTripMs));
    this.#plots.loss.show(history.map(({ lossDown }) => lossDown), percent(last?.lossDown));
    this.#plots.down.show(history.map(({ bitsDown }) => bitsDown), rate(last?.bitsDown));
    this.#facts.camera.show(picture(last?.camera));
    this.#facts.screen.show(last?.screen ? picture(last.screen) : null);
    this.#facts.sent.show(picture(last?.sent));
    this.#facts.up.show(rate(last?.bitsUp));
    this.#facts.path.show(path(last));
  }
}

class Plot {
  #key;
  #title = make("figcaption");
  #now = make("b");
  #line = drawing("polyline", { "vector-effect": "non-scaling-stroke" });
  #svg = drawing("svg", {
    viewBox: `0 0 ${PLOT.width} ${PLOT.height}`,
    preserveAspectRatio: "none",
    class: "plot",
    role: "img",
  });
  element = make("figure", "", this.#title, this.#now, this.#svg);

  /** @param {string} name of what is plotted */
  constructor(name) {
    this.#key = `statistics.${name}`;
    this.#svg.append(this.#line);
  }

  /** @param {(number | null)[]} values @param {string} now */
  show(values, now) {
    const title = t(this.#key);
    setText(this.#title, title);
    setText(this.#now, now);
    this.#svg.setAttribute("aria-label", t("statistics.plot", { what: title }));
    this.#line.setAttribute("points", pointsOf(values));
  }
}

class Fact {
  #key;
  #name = make("dt");
  #value = make("dd");
  elements = [this.#name, this.#value];

  /** @param {string} name */
  constructor(name) {
    this.#key = `statistics.${name}`;
  }

  /** @param {string | null} value null hides it */
  show(value) {
    for (const element of this.elements) element.hidden = value === null;
    setText(this.#name, t(this.#key));
    setText(this.#value, value ?? "");
  }
}

/** From the right edge backwards, as high as the highest. @param {(number | null)[]} values */
function pointsOf(values) {
  const highest = Math.max(...values.map((value) => value ?? 0), 0) || 1;
  const start = KEPT - values.length;
  return values
    .map((value, index) => {
      const x = ((start + index) / (KEPT - 1)) * PLOT.width;
      const y = PLOT.height - 1 - ((value ?? 0) / highest) * (PLOT.height - 2);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}

/** @param {number | null | undefined} value */
function milliseconds(value) {
  return typeof value === "number" ? `${Math.round(value)} ms` : t("statistics.unknown");
}

/** @param {number | null | undefined} value */
function percent(value) {
  return typeof value === "number" ? `${(value * 100).toFixed(1)} %` : t("statistics.unknown");
}

/** @param {number | undefined} bits a second */
function rate(bits) {
  if (bits === undefined) return t("statistics.unknown");
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`;
}

/** @param {import("../../protocol/stats.js").Picture | null | undefined} shown */
function picture(shown) {
  if (!shown) return t("statistics.unknown");
  return `${shown.width} × ${shown.height}, ${Math.round(shown.framesPerSecond)} fps`;
}

/** @param {Sample | undefined} sample */
function path(sample) {
  if (!sample?.path) return t("statistics.unknown");
  const { local, remote, protocol } = sample.path;
  return `${t(sample.relayed ? "statistics.relayed" : "statistics.direct")} (${local} – ${remote}, ${protocol})`;
}
