// @ts-check
// What a method is called in a chart, where its whole title may have no room.

const BRIEF = 10; // letters of a title that is never shortened
const PEN = document.createElement("canvas").getContext("2d");

/**
 * How wide a name is, in bold.
 * @param {string} text
 * @param {number} size of its letters, in pixels
 */
export const widthOf = (text, size) => {
  if (!PEN) return 0.6 * size * text.length;
  PEN.font = `bold ${size}px "IBM Plex Sans", system-ui, sans-serif`;
  return PEN.measureText(text).width;
};

/** @param {string} title */
const firstOf = (title) => title.split(/,? /)[0];

/**
 * What a method can be called beside others, the longest first: its title, its first word where no other
 * title begins with it, or what comes after that word where another method has the word for itself.
 *
 * @param {string} title
 * @param {string[]} titles of all
 */
export const callings = (title, titles) => {
  const first = firstOf(title);
  if (title.length <= BRIEF || first === title) return [title];
  if (titles.filter((one) => firstOf(one) === first).length === 1) return [title, first];
  return titles.includes(first) ? [title, title.slice(first.length).replace(/^,? /, "")] : [title];
};
