// @ts-check
/**
 * The triangle of probabilities: a corner for each caption, and where every picture is pulled and carried.
 */

import { h, s } from "../../lib/dom.js";
import { put, repeat } from "./update.js";
import { arrowLayer } from "./arrows.js";
import { CLASS_COLOURS, colourOf, shapeOf } from "./looks.js";
import { CAPTIONS } from "../../lib/plane_presets.js";

const SIDE = 220; // of the triangle, in pixels of the drawing
const TALL = (SIDE * Math.sqrt(3)) / 2;
const CORNERS = [
  [0, -TALL * (2 / 3)],
  [-SIDE / 2, TALL / 3],
  [SIDE / 2, TALL / 3],
];
const LONGEST = 64;
const SHARP = 0.35; // a change of probabilities, as a length, that gets the longest arrow

/** A distribution, or a change of one, on the triangle. @param {number[]} probs */
const onTriangle = (probs) => [0, 1].map((k) => probs.reduce((sum, p, c) => sum + p * CORNERS[c][k], 0));

/**
 * The arrow of a change. Its length grows with the square root, so that weak pulls are seen beside strong
 * ones.
 * @param {number[]} change
 */
const reach = (change) => {
  const [x, y] = onTriangle(change);
  const length = Math.hypot(x, y);
  if (!length) return [0, 0];
  const drawn = LONGEST * Math.min(1, Math.sqrt(length / (SHARP * SIDE)));
  return [(x / length) * drawn, (y / length) * drawn];
};

/**
 * @param {{touch: (touched: {picture?: number} | null) => void, clickPicture: (place: number) => void}} hand
 * @param {number} side
 */
export const simplexView = (hand, side) => {
  const points = s("g"),
    pulls = arrowLayer("pulls"),
    steps = arrowLayer("steps");
  const svg = s(
    "svg",
    { viewBox: `${-SIDE / 2 - 34} ${-TALL * (2 / 3) - 30} ${SIDE + 68} ${TALL + 62}`, role: "img" },
    s("path", { class: "triangle", d: `M${CORNERS.map((corner) => corner.join(" ")).join("L")}Z` }),
    s("path", {
      class: "border",
      d: CORNERS.map((corner) => `M0 0L${(-corner[0] / 2).toFixed(1)} ${(-corner[1] / 2).toFixed(1)}`).join(
        "",
      ),
    }),
    ...CORNERS.map(([x, y], c) =>
      s("text", {
        x,
        y: y + (c ? 22 : -10),
        "text-anchor": "middle",
        class: "corner",
        style: `--c:${CLASS_COLOURS[c]}`,
        text: CAPTIONS[c],
      }),
    ),
    points,
    steps.element,
    pulls.element,
  );
  const element = h("div", { class: "simplex" }, svg);

  /** @param {number} place */
  const makePoint = (place) => {
    const node = s("path", { class: "mark", "data-place": place });
    node.addEventListener("pointerenter", () => hand.touch({ picture: place }));
    node.addEventListener("pointerleave", () => hand.touch(null));
    node.addEventListener("click", () => hand.clickPicture(place));
    return node;
  };

  /** @param {import("./scene.js").Scene} now */
  const draw = (now) => {
    const one = now.sides[side];
    repeat(points, now.batch, makePoint);
    const from = one.seen.probs.slice(0, now.batch).map(onTriangle);
    for (let i = 0; i < now.batch; i++) {
      const [x, y] = from[i];
      const mark = points.children[i];
      put(mark, "transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(0.8)`);
      put(mark, "d", shapeOf(now.labels[i]));
      put(mark, "style", `--c:${colourOf(now.labels[i])}`);
      put(mark, "class", now.touched === i ? "mark touched" : "mark");
    }
    const arrows = (/** @type {boolean} */ shown, /** @type {number[][]} */ changes) =>
      shown ? from.map((here, i) => ({ from: here, way: reach(changes[i]) })) : [];
    pulls.draw(arrows(now.show.pull, one.pulls), now.hovered);
    steps.draw(arrows(now.show.step, one.carried), now.hovered);
    const said = now.captions.map((_, c) => `${one.counts[c]} answer ${CAPTIONS[c]}`).join(", ");
    put(svg, "aria-label", `Probabilities of ${now.batch} pictures on a triangle: ${said}.`);
  };
  return { element, draw };
};
