// @ts-check

/**
 * Whether no line passes a box. A line without a value at a point is interrupted there.
 *
 * @param {[number, number, number, number]} box left, top, right, bottom
 * @param {[number, number][][]} paths points from left to right
 */
export const clear = ([left, top, right, bottom], paths) =>
  paths.every((path) =>
    path.every(([x, y], k) => {
      const [before, from] = path[k - 1] ?? [x, y];
      if (x < left || before > right || !Number.isFinite(y + from)) return true;
      /** @param {number} at */
      const height = (at) => (x > before ? from + ((y - from) * (at - before)) / (x - before) : y);
      const ends = [height(Math.max(left, before)), height(Math.min(right, x))];
      return Math.max(...ends) < top || Math.min(...ends) > bottom;
    }),
  );
