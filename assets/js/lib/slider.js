// @ts-check
// Where a value stands on a slider, and which value a place stands for.

const TICKS = 300; // places of a slider that is not for whole numbers

/**
 * @typedef {object} Bounds
 * @property {number} low
 * @property {number} high
 * @property {boolean} log equal steps multiply; below the lowest place stands `low`, which may be 0
 * @property {boolean} whole
 */

/**
 * @typedef {object} Slider
 * @property {(place: number) => number} toValue
 * @property {(value: number) => number} toPlace
 * @property {number} last the places run from 0 to here
 */

/**
 * @param {Bounds} bounds
 * @returns {Slider}
 */
export const slider = ({ low, high, log, whole }) => {
  if (log) return logarithmic(low, high, whole);
  if (whole) return { toValue: (place) => low + place, toPlace: (value) => value - low, last: high - low };
  return {
    toValue: (place) => +(low + ((high - low) * place) / TICKS).toPrecision(3),
    toPlace: (value) => (TICKS * (value - low)) / (high - low),
    last: TICKS,
  };
};

/**
 * @param {number} low
 * @param {number} high
 * @param {boolean} whole
 */
const logarithmic = (low, high, whole) => {
  const floor = low > 0 ? low : high * 1e-5;
  /** @param {number} value */
  const tidy = (value) => (whole ? Math.round(value) : +value.toPrecision(2));
  return {
    /** @param {number} place */
    toValue: (place) => (place === 0 ? low : Math.min(high, tidy(floor * (high / floor) ** (place / TICKS)))),
    /** @param {number} value */
    toPlace: (value) =>
      value <= low ? 0 : Math.max(1, (TICKS * Math.log(value / floor)) / Math.log(high / floor)),
    last: TICKS,
  };
};
