// @ts-check
// Histories as the server writes them: one string each that grows at its end only (see wire/encode.py).
// Numbers have a space behind them, undefined ones are a dash; what is more than a number has a line a batch.

/**
 * "0.61 - 0.58 " -> [0.61, NaN, 0.58]
 * @param {string | undefined} text
 * @returns {number[]}
 */
export const numbers = (text) => (text ? text.trim().split(" ").map(Number) : []);

/**
 * One entry a batch.
 * @param {string | undefined} text
 * @returns {string[]}
 */
export const lines = (text) => (text ?? "").split("\n").slice(0, -1);

/**
 * "3:2 7:1" -> Map {3 => 2, 7 => 1}
 * @param {string | undefined} line
 * @returns {Map<number, number>}
 */
export const counts = (line) => {
  const found = new Map();
  for (const pair of (line ?? "").split(" ").filter(Boolean)) {
    const [index, count] = pair.split(":").map(Number);
    found.set(index, count);
  }
  return found;
};

/**
 * The entries of the last `window` batches up to batch `step` (0 for the first).
 * @template T
 * @param {T[]} entries
 * @param {number} step
 * @param {number} window
 */
export const recent = (entries, step, window) => entries.slice(Math.max(0, step - window + 1), step + 1);

/**
 * The counts of several batches, added up.
 * @param {string[]} batches
 */
export const sum = (batches) => {
  const total = new Map();
  for (const line of batches) {
    for (const [index, count] of counts(line)) total.set(index, (total.get(index) ?? 0) + count);
  }
  return total;
};

/**
 * Everything counted.
 * @param {Map<number, number>} found
 */
export const size = (found) => [...found.values()].reduce((all, count) => all + count, 0);
