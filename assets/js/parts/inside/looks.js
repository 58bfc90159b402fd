// @ts-check
/** How classes look on the map: a hue and a shape each, so that neither has to tell them apart alone. */

const TURN = 137.508; // degrees of the golden angle: neighbours in the list are far apart, however many
const SHAPES = [
  "M-4.4 0a4.4 4.4 0 1 0 8.8 0a4.4 4.4 0 1 0-8.8 0Z",
  "M-4-4h8v8h-8Z",
  "M0-5.4 4.9 3.8h-9.8Z",
  "M0-5.6 5.6 0 0 5.6-5.6 0Z",
];

/** @param {number} label -1 is of none */
export const hueOf = (label) =>
  label < 0 ? "var(--soft)" : `oklch(0.66 0.15 ${((label * TURN) % 360).toFixed(1)})`;

/** @param {number} label */
export const shapeOf = (label) => SHAPES[Math.max(0, label) % SHAPES.length];
