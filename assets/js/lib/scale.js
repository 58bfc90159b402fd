// @ts-check
// From numbers to pixels, and which numbers stand at an axis.

/**
 * A straight map from one range to another.
 * @param {[number, number]} domain
 * @param {[number, number]} range
 * @returns {(value: number) => number}
 */
export const linear = ([low, high], [from, to]) => {
  const unit = high > low ? (to - from) / (high - low) : 0;
  return (value) => from + unit * (value - low);
};

/**
 * A value within bounds.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** The five lines across a chart, as parts of its height. */
export const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

/**
 * The end of an axis that starts at 0: 1, 2 or 5 with zeros.
 * @param {number} largest
 */
export const niceTop = (largest) => {
  if (!(largest > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5].map((digit) => digit * unit).find((top) => top >= largest) ?? 10 * unit;
};

/**
 * The lines across a chart of shares, 0 to 1, that shows what there is and not much more: round numbers from
 * below the least to above the largest.
 * @param {number[]} shares
 */
export const shareTicks = (shares) => {
  if (!shares.length) return QUARTERS;
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  const stride = [0.25, 0.5, 1, 2, 5, 10].find((one) => (100 * (most - least)) / one <= 6) ?? 20;
  const first = Math.max(0, Math.ceil((100 * least) / stride) - 1);
  const last = Math.max(first + 1, Math.min(100 / stride, Math.floor((100 * most) / stride) + 1));
  return Array.from({ length: last - first + 1 }, (_, k) => ((first + k) * stride) / 100);
};

const STRIDES = [1, 2, 4, 5, 10, 20, 25, 50, 100, 200];

/**
 * Which of the batches 1 to `total` are named at the axis: multiples of a round number, about `room` at most.
 * @param {number} total
 * @param {number} room
 */
export const batchTicks = (total, room) => {
  const stride = STRIDES.find((one) => total / one <= room) ?? 500;
  return Array.from({ length: Math.floor(total / stride) }, (_, k) => (k + 1) * stride);
};

/**
 * The points of a polyline; batches without a value are left out.
 * @param {number[]} values one a batch
 * @param {number} from first batch, 0 or more
 * @param {number} to last batch
 * @param {(batch: number) => number} x
 * @param {(value: number) => number} y
 */
export const polyline = (values, from, to, x, y) => {
  const out = [];
  for (let i = from; i <= to; i++) {
    if (Number.isFinite(values[i])) out.push(`${x(i).toFixed(1)},${y(values[i]).toFixed(1)}`);
  }
  return out.join(" ");
};
