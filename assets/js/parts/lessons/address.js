// @ts-check
// Where a lesson is found: the address that opens it, and what another page embeds it by.

import { bareAddress } from "../../lib/share.js";

/**
 * @param {string} lesson its name
 * @param {import("../../lib/store.js").Mode} [mode] in which it opens
 */
export const addressOf = (lesson, mode = "") => {
  const here = bareAddress();
  const theme = new URL(location.href).searchParams.get("__theme");
  here.search = new URLSearchParams({
    ...(mode && theme && { __theme: theme }), // of this window, not of whoever follows a link
    lesson,
    ...(mode && { [mode]: "1" }),
  }).toString();
  return here.toString();
};

/**
 * @param {string} lesson its name
 * @param {string} title
 */
export const frameOf = (lesson, title) => {
  const address = addressOf(lesson, "embed").replaceAll("&", "&amp;");
  return `<iframe src="${address}" title="${title}" width="100%" height="900"></iframe>`;
};
