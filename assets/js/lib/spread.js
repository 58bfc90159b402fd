// @ts-check

/**
 * Places for labels that stand one below the other, near where they belong, none nearer to another than
 * `gap` and none outside the bounds. Where the bounds leave too little room, the gap gives way, never the
 * bounds.
 *
 * @param {number[]} wanted where each label would stand by itself
 * @param {number} gap
 * @param {number} low
 * @param {number} high
 * @returns {number[]} where each label stands, in the order of `wanted`
 */
export const spread = (wanted, gap, low, high) => {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b]);
  const room = wanted.length > 1 ? Math.min(gap, (high - low) / (wanted.length - 1)) : 0;
  /** @type {number[]} */
  const placed = [];
  let least = low; // downwards: clear of the one above
  for (const index of order) {
    placed[index] = Math.max(wanted[index], least);
    least = placed[index] + room;
  }
  let most = high; // and back up: clear of the one below
  for (const index of order.reverse()) {
    placed[index] = Math.min(placed[index], most);
    most = placed[index] - room;
  }
  return placed;
};
