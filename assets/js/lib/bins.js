// @ts-check
// Histograms.

import { clamp } from "./scale.js";

/**
 * The share of the values in each of equally wide bins; what lies outside falls into the outermost ones.
 * @param {number[]} values
 * @param {number} low
 * @param {number} high
 * @param {number} bins
 * @returns {number[]} adds up to 1, or to 0 where there is no value
 */
export const histogram = (values, low, high, bins) => {
  const found = new Array(bins).fill(0);
  for (const value of values) found[clamp(Math.floor(((value - low) / (high - low)) * bins), 0, bins - 1)]++;
  return found.map((count) => count / Math.max(1, values.length));
};

/**
 * The range of all but the outermost hundredths, wide enough for the threshold.
 * @param {number[]} values at least one
 * @param {number} threshold NaN where there is none
 * @returns {[number, number]} the first below the second
 */
export const rangeOf = (values, threshold) => {
  const sorted = [...values].sort((a, b) => a - b);
  let low = sorted[Math.floor(0.01 * sorted.length)];
  let high = sorted[Math.ceil(0.99 * sorted.length) - 1];
  if (Number.isFinite(threshold)) [low, high] = [Math.min(low, threshold), Math.max(high, threshold)];
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
};

/**
 * The path around a histogram's columns.
 * @param {number[]} heights
 * @param {(edge: number) => number} x of the edge left of a bin, and of the last one's right edge
 * @param {number} base
 * @param {number} unit pixels of height for 1; negative for columns that hang
 */
export const outline = (heights, x, base, unit) => {
  const columns = heights.map(
    (height, bin) => `V${(base - unit * height).toFixed(1)}H${x(bin + 1).toFixed(1)}`,
  );
  return `M${x(0)} ${base}${columns.join("")}V${base}Z`;
};
