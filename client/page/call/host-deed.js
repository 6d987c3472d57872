// What a host asks of the server, and that it was refused.

import { Refused } from "../../protocol/signaling.js";
import { notify } from "../parts/notices.js";
import { causeText } from "../texts/i18n.js";

/** @param {Promise<void>} asked @returns {Promise<boolean>} whether it is done; where not, it was told why */
export async function isDone(asked) {
  try {
    await asked;
    return true;
  } catch (error) {
    notify(causeText(error instanceof Refused ? error.cause : { code: "lost", text: "" }));
    return false;
  }
}
