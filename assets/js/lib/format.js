// @ts-check
// Numbers as the page writes them.

export const DASH = "–";

/** @typedef {"share" | "number" | "classes" | "count" | "seconds" | "times"} Kind */

/**
 * With one digit, as Python writes it in sentences and files: of two that are equally near it takes the even
 * one, 6.2 of 6.25, and JavaScript the larger.
 * @param {number} value not negative
 */
const tenths = (value) => (value % 1 === 0.25 ? value - 0.01 : value).toFixed(1);

/**
 * A part of a whole, in percent. Only what is all of it is "100%": one mistake in ten thousand shows.
 * @param {number} value 0 to 1
 */
const share = (value) => (value === 1 ? "100%" : `${tenths(Math.min(99.9, 100 * value))}%`);

/** @param {number} value */
const number = (value) => {
  const size = Math.abs(value);
  return size > 0 && size < 0.01 ? value.toExponential(1) : value.toFixed(size < 1 ? 3 : 1);
};

/**
 * Classes in use: 1, 1.4, 19.
 * @param {number} value
 */
const classes = (value) => String(+value.toFixed(1));

/** @param {number} value */
const seconds = (value) => (value < 0.9995 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(1)} s`);

/** @param {number} value so many times as much */
const times = (value) => {
  const text = value < 9.95 ? String(+value.toFixed(1)) : Math.round(value).toLocaleString("en");
  return `${text}×`;
};

/** @param {number} value */
const count = (value) => String(Math.round(value));

const WRITERS = { share, number, classes, count, seconds, times };

/**
 * A number of a kind; a dash where there is none.
 * @param {Kind} kind
 * @param {number | null | undefined} value
 */
export const format = (kind, value) =>
  typeof value === "number" && Number.isFinite(value) ? WRITERS[kind](value) : DASH;

/**
 * A difference of two shares in points, with its sign.
 * @param {number} difference -1 to 1
 * @returns {{text: string, way: "up" | "down" | null}} null where nothing is left of it after rounding
 */
export const points = (difference) => {
  const size = Math.abs(100 * difference).toFixed(1);
  if (Number(size) === 0) return { text: `+${size}`, way: null };
  return difference > 0 ? { text: `+${size}`, way: "up" } : { text: `−${size}`, way: "down" };
};

/**
 * From one share to another in points, as a reader works it out from the two as they are written.
 * @param {number} from
 * @param {number} to
 */
export const between = (from, to) => points((+tenths(100 * to) - +tenths(100 * from)) / 100);

/**
 * A setting's value, short and exact enough to be typed again.
 * @param {number} value
 */
export const plain = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5
    ? value.toExponential().replace("e+", "e")
    : String(+value.toPrecision(6));
};

/**
 * "1 batch", "3 batches".
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

/** @param {number} seconds that a run still takes */
export const left = (seconds) =>
  seconds >= 90 ? `${Math.round(seconds / 60)} min left` : `${Math.max(1, Math.round(seconds))} s left`;

/** @param {number} rate images a second */
export const speed = (rate) => `${rate >= 10 ? Math.round(rate) : rate.toFixed(1)} images/s`;

/** @param {number} bytes */
export const megabytes = (bytes) => `${bytes < 1e7 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6)} MB`;

/**
 * Text cut to the room there is for it.
 * @param {string} text
 * @param {number} pixels
 * @param {number} letter pixels that a letter takes
 */
export const shorten = (text, pixels, letter = 6.4) => {
  const room = Math.max(3, Math.floor(pixels / letter));
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
};

/** @param {string} text */
export const capitalized = (text) => text.charAt(0).toUpperCase() + text.slice(1);
