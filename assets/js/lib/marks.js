// @ts-check
// The look of a method: its colour, and the mark that says the same to those who do not see it.

import { h, s } from "./dom.js";
import { between } from "./format.js";

/** @typedef {{colour: string, marker: string}} Look */

/** @type {Record<string, string>} */
const SHAPES = {
  circle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z",
  square: "M-3.6-3.6h7.2v7.2h-7.2Z",
  triangle: "M0-4.6 4.4 3.4h-8.8Z",
  diamond: "M0-5 5 0 0 5-5 0Z",
  cross: "M-4-2.4-2.4-4 0-1.6 2.4-4 4-2.4 1.6 0 4 2.4 2.4 4 0 1.6-2.4 4-4 2.4-1.6 0Z",
  plus: "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3Z",
  star: "M0 -5L1.2 -1.7L4.8 -1.5L2 0.6L2.9 4L0 2.1L-2.9 4L-2 0.6L-4.8 -1.5L-1.2 -1.7Z",
  line: "M-4.5-1.4h9v2.8h-9Z",
};

/**
 * What gives a method's colour to a stroke or a fill.
 * @param {Look} look
 */
export const ink = ({ colour }) => `--c:${colour}`;

/**
 * @param {Look} look
 * @param {Record<string, string>} [attributes]
 */
export const mark = (look, attributes = {}) =>
  s("path", { d: SHAPES[look.marker] ?? SHAPES.circle, class: "ink", style: ink(look), ...attributes });

/**
 * The mark as a small picture of its own.
 * @param {Look} look
 */
export const swatch = (look) =>
  s(
    "svg",
    { viewBox: "-6 -6 12 12", width: 12, height: 12, class: "swatch", "aria-hidden": "true" },
    mark(look),
  );

/**
 * How far it is from one share to another, for a cell of a table.
 * @param {number} from
 * @param {number} to
 */
export const gain = (from, to) => {
  const { text, way } = between(from, to);
  return h("small", { class: way, text });
};
