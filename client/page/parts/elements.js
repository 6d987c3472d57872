// Finding and making elements of the page.

const SVG = "http://www.w3.org/2000/svg";

/** Strokes on a 24 by 24 grid. @type {Record<string, string>} */
const ICONS = {
  microphone: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5 11a7 7 0 0 0 14 0M12 18v3",
  microphoneOff: "M9 9v2a3 3 0 0 0 5 2.2M15 10V6a3 3 0 0 0-5.7-1.3M5 11a7 7 0 0 0 11.6 5.3M19 11a7 7 0 0 1-.6 2.8M12 18v3M4 3l16 18",
  camera: "M3 7.5A1.5 1.5 0 0 1 4.5 6h9A1.5 1.5 0 0 1 15 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 16.5zM15 10.5l6-3.5v10l-6-3.5",
  cameraOff: "M10 6h3.5A1.5 1.5 0 0 1 15 7.5V11l6-4v10l-2-1.2M15 16v.5a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6M4 3l16 18",
  screen: "M4 5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM8 21h8M12 14V8M9 10.5 12 7.5l3 3",
  hand: "M7 12V6.5a1.5 1.5 0 0 1 3 0V11m0-6.5a1.5 1.5 0 0 1 3 0V11m0-5a1.5 1.5 0 0 1 3 0v6m0-4a1.5 1.5 0 0 1 3 0v6a7 7 0 0 1-7 7c-3 0-4.6-1.3-6-3.6L3.6 14a1.5 1.5 0 0 1 2.5-1.6L7 13.5",
  chat: "M4 5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-8l-5 4v-4H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.2a6.5 6.5 0 0 1 3.5 5.8",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  leave: "M9 4H5a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h4M15 16l4-4-4-4M19 12H9",
  link: "M10 14a4 4 0 0 0 5.7 0l3.5-3.5a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.5 3.5a4 4 0 0 0 5.7 5.7L12 17.7",
  statistics: "M4 20V10M10 20V4M16 20v-7M21 20H3",
  record: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  devices: "M4 7h10M18 7h2M4 17h2M10 17h10M16 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  fullScreen: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  pictureInPicture: "M4 5h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM12 12h6v4h-6z",
  keyboard: "M3 7h18a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1zM6 11h.01M10 11h.01M14 11h.01M18 11h.01M8 15h8",
  language: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c5 5.5 5 12.5 0 18c-5-5.5-5-12.5 0-18z",
  close: "M6 6l12 12M18 6 6 18",
  send: "M4 12 20 4l-5 16-3.5-6.5zM11.5 13.5 20 4",
  pin: "M9 3h6l-1 7 4 4H6l4-4zM12 14v7",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  speaker: "M4 9v6h4l5 4V5L8 9zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11",
  colours: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 3v18M15 5v14M18 7.5v9",
  dice: "M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01",
};

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`);
  return found;
}

/** @param {string} id */
export function button(id) {
  return element(id, HTMLButtonElement);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {(Node | string)[]} children a string becomes text, never markup
 */
export function make(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** What stays the same is left alone: screen readers read out, and browsers unselect, what is set. @param {Element} holder @param {string} text */
export function setText(holder, text) {
  if (holder.textContent !== text) holder.textContent = text;
}

/** @param {string} name */
export function icon(name) {
  const svg = drawing("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" });
  svg.append(drawing("path", { d: ICONS[name] ?? "" }));
  return svg;
}

/** @param {Element} holder @param {string} name */
export function setIcon(holder, name) {
  if (holder.getAttribute("data-icon") === name && holder.querySelector(".icon")) return;
  holder.setAttribute("data-icon", name);
  holder.querySelector(".icon")?.remove();
  holder.prepend(icon(name));
}

export function drawIcons() {
  for (const holder of document.querySelectorAll("[data-icon]")) setIcon(holder, holder.getAttribute("data-icon") ?? "");
}

/** Whether a key belongs to a word that is being composed. @param {KeyboardEvent} event */
export function isComposing({ isComposing, keyCode }) {
  // Safari ends the composition before it sends the key that ended it; 229 stands for any such key.
  return isComposing || keyCode === 229;
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
export function drawing(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
