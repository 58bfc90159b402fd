// @ts-check
/**
 * The arrows of all pictures, in two paths rather than one for each picture, as the browser works out the
 * style of every element that changes: one path for the picture under the pointer, one for the others. A
 * line of the path is a picture's.
 */

import { s } from "../../lib/dom.js";
import { put } from "./update.js";

const SHORTEST = 1; // pixels of the drawing: shorter arrows have no direction one could see
const HEAD = 6;

/** An arrow as a path. @param {number[]} from @param {number[]} way */
const arrow = ([x, y], [dx, dy]) => {
  const length = Math.hypot(dx, dy);
  if (length < SHORTEST) return "";
  const head = Math.min(HEAD, length * 0.6) / length;
  const [ex, ey] = [x + dx, y + dy];
  const wing = (/** @type {number} */ sign) =>
    `${(ex - head * (dx + (sign * dy) / 2)).toFixed(1)} ${(ey - head * (dy - (sign * dx) / 2)).toFixed(1)}`;
  const tip = `${ex.toFixed(1)} ${ey.toFixed(1)}`;
  return `M${x.toFixed(1)} ${y.toFixed(1)}L${tip}M${wing(1)}L${tip}L${wing(-1)}`;
};

/** @param {string} name Of its class. */
export const arrowLayer = (name) => {
  const [others, one] = [s("path"), s("path")];
  const element = s("g", { class: name }, others, one);

  /**
   * @param {{from: number[], way: number[]}[]} arrows One a picture, in the pixels of the drawing.
   * @param {number | null} hovered
   */
  const draw = (arrows, hovered) => {
    const lines = arrows.map(({ from, way }) => arrow(from, way));
    put(others, "d", lines.map((line, i) => (i === hovered ? "" : line)).join("\n"));
    put(others, "class", hovered === null ? "" : "dim");
    put(one, "d", lines.map((line, i) => (i === hovered ? line : "")).join("\n"));
  };
  return { element, draw };
};
