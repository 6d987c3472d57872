// Asks for a room's password, and stays until it is the right one or somebody gives up.

import { button, element, setText } from "./parts/elements.js";
import { inEachLanguage, t } from "./texts/i18n.js";

const dialog = element("password-dialog", HTMLDialogElement);
const form = element("password-form", HTMLFormElement);
const input = element("password", HTMLInputElement);
const problem = element("password-problem", HTMLElement);
const sendButton = button("password-send");

export class PasswordDialog {
  #checking = false;
  /** @type {() => string} in the language of the moment */
  #problem = () => "";
  #onCancel;

  /** @param {(password: string) => void} onPassword @param {() => void} onCancel */
  constructor(onPassword, onCancel) {
    this.#onCancel = onCancel;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#checking) return;
      if (!input.value) return this.#ask(() => t("password.missing"));
      this.#checking = true;
      this.say(() => "");
      onPassword(input.value);
    });
    button("password-cancel").addEventListener("click", () => this.#cancel());
    dialog.addEventListener("cancel", () => this.#cancel());
    inEachLanguage(() => this.#show());
  }

  /** For the first time, or again. @param {() => string} text what is wrong with the one before; empty: there was none */
  open(text) {
    if (!dialog.open) {
      input.value = "";
      dialog.showModal();
    }
    this.#ask(text);
  }

  /** How it goes on with the one that is being checked. @param {() => string} text */
  say(text) {
    this.#problem = text;
    this.#show();
  }

  close() {
    input.value = "";
    this.#checking = false;
    dialog.close();
  }

  /** @param {() => string} text */
  #ask(text) {
    this.#checking = false;
    this.say(text);
    input.select();
  }

  #cancel() {
    this.close();
    this.#onCancel();
  }

  #show() {
    setText(problem, this.#problem());
    setText(sendButton, t(this.#checking ? "password.checking" : "password.send"));
    // Not disabled: that would take the focus, and nobody would give it back when the password is wrong.
    sendButton.ariaDisabled = String(this.#checking);
  }
}
