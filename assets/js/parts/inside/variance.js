// @ts-check
/** Variance between the answered classes: a gauge of the batch, and its way beside accuracy. */

import { numbers } from "../../lib/decode.js";
import { find, h, onWidth, s } from "../../lib/dom.js";
import { DASH, format } from "../../lib/format.js";
import { ink, swatch } from "../../lib/marks.js";
import { linear, niceTop, polyline } from "../../lib/scale.js";

/** @typedef {import("./scene.js").Scene} Scene */

const HEIGHT = 150;
const LEFT = 4;
const PANELS = /** @type {const} */ ([
  [64, 16], // bottom and top
  [138, 88],
]);

/** @param {number} value */
const written = (value) => (Number.isFinite(value) ? value.toPrecision(2) : DASH);

/** @param {HTMLElement} figure */
export const variance = (figure) => {
  const svg = find(figure, "svg", SVGSVGElement);
  const gauges = find(figure, ".gauges");
  const says = find(figure, ".says");
  let width = 0;
  /** @type {Scene | null} */
  let scene = null;

  const redraw = () => {
    const seen = scene?.known.run.variance;
    figure.hidden = !seen;
    if (!scene || !seen || !width) return;
    const { known, at } = scene;
    const shown = known.run.methods.filter((one) => one.name in seen.variance);
    const lines = shown.map((one) => numbers(seen.variance[one.name]));
    const accuracy = numbers(seen.accuracy);
    const top = niceTop(Math.max(0, ...lines.flat().filter(Number.isFinite)));
    gauges.replaceChildren(
      ...shown.map((one, k) =>
        h(
          "div",
          { class: "gauge", "data-of": one.name },
          h("span", { class: "name" }, swatch(one), h("span", { text: one.title })),
          h(
            "span",
            { class: "track" },
            h("i", { class: "fill", style: `${ink(one)};width:${(100 * (lines[k][at] || 0)) / top}%` }),
          ),
          h("b", { text: written(lines[k][at]) }),
        ),
      ),
    );
    says.textContent = seen.says;
    const count = known.run.batches.length;
    const x = linear([0, Math.max(1, count - 1)], [LEFT + 6, width - 8]);
    const [high, low] = PANELS.map(([bottom, head], k) => linear([0, k ? 1 : top], [bottom, head]));
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.replaceChildren(
      s("text", { x: LEFT, y: 11, text: `Variance, 0 to ${+top.toPrecision(2)}` }),
      s("text", {
        x: LEFT,
        y: 83,
        text: known.run.labelled ? `Accuracy of ${known.method.title}, each batch` : "",
      }),
      ...PANELS.map(([bottom]) =>
        s("line", { class: "base", x1: LEFT, x2: width - 2, y1: bottom, y2: bottom }),
      ),
      s("line", { class: "cursor", x1: x(at), x2: x(at), y1: 16, y2: 138 }),
      ...shown.map((one, k) =>
        s("polyline", {
          class: "line",
          style: ink(one),
          "stroke-dasharray": one.dash,
          points: polyline(lines[k], 0, count - 1, x, high),
          "data-method": one.name,
        }),
      ),
      s("polyline", {
        class: "line",
        style: ink(known.method),
        points: polyline(accuracy, 0, count - 1, x, low),
        "data-accuracy": true,
      }),
    );
    const values = shown.map((one, k) => `${one.title} ${written(lines[k][at])}`).join(", ");
    const right = `accuracy of ${known.method.title} ${format("share", accuracy[at])}`;
    svg.setAttribute(
      "aria-label",
      `Variance between classes at batch ${known.run.batches[at]}: ${values}; ${right}.`,
    );
  };
  onWidth(figure, () => {
    width = svg.clientWidth;
    redraw();
  });
  return {
    /** @param {Scene} now */
    draw: (now) => {
      scene = now;
      figure.hidden = !now.known.run.variance;
      width = svg.clientWidth || width;
      redraw();
    },
  };
};
