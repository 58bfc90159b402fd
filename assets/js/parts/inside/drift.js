// @ts-check
/** Every trained layer's way from where it started, over the batches; all on one scale. */

import { find, h, s } from "../../lib/dom.js";
import { ink } from "../../lib/marks.js";
import { linear, polyline } from "../../lib/scale.js";

/** @typedef {import("./scene.js").Scene} Scene */

const [WIDE, HIGH] = [160, 22];

/** @param {HTMLElement} figure */
export const drift = (figure) => {
  const list = find(figure, ".layers");
  return {
    /** @param {Scene} scene */
    draw: ({ known, at }) => {
      const layers = known.run.drift?.layers;
      figure.hidden = !layers;
      if (!layers) return;
      const top = known.drift.flat().reduce((a, b) => (b > a ? b : a), 0) || 1;
      const count = known.drift.length;
      const x = linear([0, Math.max(1, count - 1)], [2, WIDE - 2]);
      const y = linear([0, top], [HIGH - 2, 2]);
      list.replaceChildren(
        ...layers.map((layer, k) => {
          const values = known.drift.map((row) => row[k]);
          const value = values[at];
          return h(
            "div",
            { class: "layer", "data-layer": layer, "data-value": value },
            h("span", { class: "name", text: layer, title: layer }),
            s(
              "svg",
              { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" },
              s("line", { class: "cursor", x1: x(at), x2: x(at), y1: 0, y2: HIGH }),
              s("polyline", {
                class: "line",
                style: ink(known.method),
                points: polyline(values, 0, count - 1, x, y),
              }),
            ),
            h(
              "span",
              { class: "track" },
              h("i", { class: "fill", style: `${ink(known.method)};width:${(100 * value) / top}%` }),
            ),
            h("b", { text: value.toPrecision(2) }),
          );
        }),
      );
    },
  };
};
