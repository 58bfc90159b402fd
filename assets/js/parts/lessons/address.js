// @ts-check
// Where a lesson is found: the address that opens it, and what another page embeds it by.

/**
 * @param {string} lesson its name
 * @param {import("../../lib/store.js").Mode} [mode] in which it opens
 */
export const addressOf = (lesson, mode = "") => {
  const here = new URL(location.href);
  const theme = here.searchParams.get("__theme");
  here.search = new URLSearchParams({
    ...(mode && theme && { __theme: theme }), // of this window, not of whoever follows a link
    lesson,
    ...(mode && { [mode]: "1" }),
  }).toString();
  here.hash = "";
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
