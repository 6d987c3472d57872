// Buttons that switch a device on and off, in the lobby and in the call.

import { t } from "../texts/i18n.js";
import { setIcon } from "./elements.js";

/**
 * @param {HTMLButtonElement} control
 * @param {boolean} on
 * @param {string} name of the icon
 * @param {string} offText what the button does while it is on
 * @param {string} onText what it does while it is off
 */
export function showSwitch(control, on, name, offText, onText) {
  setIcon(control, on ? name : `${name}Off`);
  control.classList.toggle("off", !on);
  const label = control.querySelector(".label");
  if (label) label.textContent = t(`control.${on ? offText : onText}`);
}
