// The page's language: English or Chinese, by the browser's wish until somebody switches.

import { UNEXPLAINED } from "../../protocol/messages.js";
import { recall, remember } from "../headless/remembered.js";
import { CAUSES } from "./refusals.js";
import { TEXTS } from "./texts.js";

/** @typedef {"en" | "zh"} Language */

/** Codes whose text may be an administrator's. */
const ADMINISTRATORS = ["removed", "disconnected", "banned", "room-closed"];
const ALL = { ...TEXTS, ...CAUSES };
// The blocks of scripts that run from right to left.
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const listeners = /** @type {Set<() => void>} */ (new Set());
/** @type {Language} */
let language = preferredLanguage(recall("language"), globalThis.navigator?.languages ?? []);

/**
 * @param {string} key of the table
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = ALL[key]?.[language] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? "")));
}

/**
 * Words for a refusal or a close code. A code that is newer than this page has the server's own; an administrator's
 * reason is not ours to word.
 * @param {import("../../protocol/messages.js").Cause} cause
 * @returns {string}
 */
export function causeText({ code, text, retryAfterMs }) {
  if (retryAfterMs !== undefined) return t("cause.later", { why: causeText({ code, text }), seconds: Math.ceil(retryAfterMs / 1_000) });
  if (!ALL[`cause.${code}`]) return text || t("cause.unknown", { code });
  const why = t(`cause.${code}`);
  const isExplained = ADMINISTRATORS.includes(code) && text && !UNEXPLAINED.includes(text);
  return isExplained ? t("cause.explained", { why, reason: text }) : why;
}

export function switchLanguage() {
  language = language === "en" ? "zh" : "en";
  remember("language", language);
  for (const listener of listeners) listener();
}

/** Runs now, and again whenever the language changes. @param {() => void} show */
export function inEachLanguage(show) {
  listeners.add(show);
  show();
}

/** @param {Document} page */
export function translate(page) {
  page.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of page.querySelectorAll("[data-text]")) element.textContent = t(read(element, "data-text"));
  for (const element of page.querySelectorAll("[data-label]")) element.ariaLabel = t(read(element, "data-label"));
  for (const element of page.querySelectorAll("[data-placeholder]")) {
    element.setAttribute("placeholder", t(read(element, "data-placeholder")));
  }
}

/**
 * @param {unknown} chosen
 * @param {readonly string[]} wished the browser's, best first
 * @returns {Language}
 */
export function preferredLanguage(chosen, wished) {
  if (chosen === "en" || chosen === "zh") return chosen;
  const known = wished.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag === "en" || tag === "zh");
  return known === "zh" ? "zh" : "en";
}

/** A name must not turn around the sentence it stands in. @param {string} value */
function isolated(value) {
  const plain = value.replace(/\p{Bidi_Control}/gu, "");
  return RIGHT_TO_LEFT.test(plain) ? `\u2068${plain}\u2069` : plain;
}

/** @param {Element} element @param {string} attribute */
function read(element, attribute) {
  return element.getAttribute(attribute) ?? "";
}
