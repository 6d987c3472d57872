// What people are called on the page.

import { t } from "./i18n.js";

/** @param {{ displayName: string | null, userId: string | null, clientId: string }} names */
export function nameOf({ displayName, userId, clientId }) {
  if (displayName?.trim()) return displayName;
  return userId && userId !== clientId ? userId : t("tile.guest", { id: clientId.slice(0, 4) });
}

/** @param {string} displayName */
export function ownName(displayName) {
  return displayName ? t("tile.nameAndYou", { name: displayName }) : t("tile.you");
}
