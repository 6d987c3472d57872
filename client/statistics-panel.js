// How well each peer is connected, in numbers and small plots.

import { inEachLanguage, t } from "./i18n.js";
import { nameOf } from "./names.js";
import { drawing, element, make } from "./page.js";
import { StatsSampler } from "./stats.js";

/**
 * @typedef {import("./room.js").Mate} Mate
 * @typedef {import("./room.js").Room} Room
 * @typedef {import("./stats.js").Sample} Sample
 */

const KEPT = 60;
const PLOT = { width: 100, height: 30 };

const view = element("statistics-view", HTMLElement);

export class StatisticsPanel {
  #room;
  #sampler;
  #noteOn;
  #open = false;

  /** @param {Room} room @param {(clientId: string) => string} noteOn what there is to say of the connection */
  constructor(room, noteOn) {
    this.#room = room;
    this.#noteOn = noteOn;
    this.#sampler = new StatsSampler(room, { keep: KEPT });
    this.#sampler.on("sample", () => this.show());
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
    const mates = [...this.#room.mates.values()];
    const scrolled = view.scrollTop;
    view.replaceChildren(...(mates.length
      ? mates.map((mate) => this.#describe(mate))
      : [make("p", "empty", t("statistics.alone"))]));
    view.scrollTop = scrolled;
  }

  /** @param {Mate} mate */
  #describe(mate) {
    const history = this.#sampler.history(mate.clientId);
    const last = history.at(-1);
    const plots = make("div", "plots",
      plot("roundTrip", history.map(({ roundTripMs }) => roundTripMs), milliseconds(last?.roundTripMs)),
      plot("loss", history.map(({ lossDown }) => lossDown), percent(last?.lossDown)),
      plot("down", history.map(({ bitsDown }) => bitsDown), rate(last?.bitsDown)));
    const facts = make("dl", "facts");
    const add = (/** @type {string} */ name, /** @type {string} */ value) =>
      facts.append(make("dt", "", t(`statistics.${name}`)), make("dd", "", value));
    add("camera", picture(last?.camera));
    if (last?.screen) add("screen", picture(last.screen));
    add("sent", picture(last?.sent));
    add("up", rate(last?.bitsUp));
    add("path", path(last));
    const note = this.#noteOn(mate.clientId) || t("state.connected");
    return make("article", "mate", make("h3", "", nameOf(mate)), make("p", "hint", note), plots, facts);
  }
}

/** @param {string} name @param {(number | null)[]} values @param {string} now */
function plot(name, values, now) {
  const title = t(`statistics.${name}`);
  const svg = drawing("svg", {
    viewBox: `0 0 ${PLOT.width} ${PLOT.height}`,
    preserveAspectRatio: "none",
    class: "plot",
    role: "img",
    "aria-label": t("statistics.plot", { what: title }),
  });
  svg.append(drawing("polyline", { points: pointsOf(values), "vector-effect": "non-scaling-stroke" }));
  return make("figure", "", make("figcaption", "", title), make("b", "", now), svg);
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

/** @param {import("./stats.js").Picture | null | undefined} shown */
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
