// @ts-check
// Room for a name beside a mark.

/** @typedef {{left: number, right: number, top: number, bottom: number}} Box */

const ROW = 8; // pixels between two rows that are tried

/** @param {Box} a @param {Box} b */
const overlap = (a, b) => a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;

/**
 * A free box for a name to the right of a mark, else to its left, above or below, else farther away above or
 * below; undefined where none is free.
 * @param {number} x of the mark
 * @param {number} y
 * @param {number} size width of the name
 * @param {Box} bounds that it must lie within
 * @param {Box[]} taken what it must not cover
 * @param {number} [farthest] pixels from the mark; without it, beside the mark only
 */
export const free = (x, y, size, bounds, taken, farthest = 0) => {
  const tries = [
    { left: x + 10, base: y + 4 },
    { left: x - 10 - size, base: y + 4 },
    { left: x - size / 2, base: y - 11 },
    { left: x - size / 2, base: y + 20 },
  ];
  for (let far = ROW; far <= farthest; far += ROW) {
    for (const left of [x - size / 2, x + 4, x - 4 - size]) {
      tries.push({ left, base: y - 11 - far }, { left, base: y + 20 + far });
    }
  }
  return tries
    .map(({ left, base }) => ({ left, right: left + size, top: base - 11, bottom: base + 4 }))
    .find(
      (box) =>
        box.left > bounds.left &&
        box.right < bounds.right &&
        box.top > bounds.top &&
        box.bottom < bounds.bottom &&
        !taken.some((other) => overlap(box, other)),
    );
};
