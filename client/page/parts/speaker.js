// The speaker that somebody chose: used while it is there, and the system's own otherwise.

import { recall, remember } from "../headless/remembered.js";

/** Whether this browser lets a page choose the speaker. */
export const speakerChoice = "setSinkId" in (globalThis.HTMLMediaElement?.prototype ?? {});

/** @type {Set<HTMLMediaElement>} */
const players = new Set();
let chosen = recall("speaker");
/** Empty is the system's own. */
let inUse = "";

export function speakerInUse() {
  return inUse;
}

/** Plays an element's sound there, now and after each change. @param {HTMLMediaElement} media @returns {() => void} ends it */
export function playOnChosenSpeaker(media) {
  players.add(media);
  if (inUse) play(media);
  return () => void players.delete(media);
}

/** @param {string} deviceId @returns {Promise<boolean>} false: it cannot be used, and nothing changes */
export async function chooseSpeaker(deviceId) {
  try {
    await new Audio().setSinkId(deviceId);
  } catch {
    return false;
  }
  chosen = deviceId;
  remember("speaker", deviceId);
  use(deviceId);
  return true;
}

/** To be told whenever devices may have come or gone. @param {string[]} ids @returns {boolean} whether the one in use is gone */
export function speakersAre(ids) {
  // Some browsers tell no ids while no microphone is open.
  if (!ids.some(Boolean)) return false;
  const now = typeof chosen === "string" && ids.includes(chosen) ? chosen : "";
  const isLost = inUse !== "" && now === "";
  use(now);
  return isLost;
}

/** @param {string} deviceId */
function use(deviceId) {
  if (deviceId === inUse) return;
  inUse = deviceId;
  for (const media of players) play(media);
}

/** @param {HTMLMediaElement} media */
function play(media) {
  // What a speaker refuses is heard on the one before.
  media.setSinkId(inUse).catch(() => {});
}
