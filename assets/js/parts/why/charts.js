// @ts-check
/** Three small charts: answers by class, the way so far, and where a contender ends at each shift. */

import { h, s } from "../../lib/dom.js";
import { format } from "../../lib/format.js";
import { put, repeat, say } from "./update.js";
import { CLASS_COLOURS, LOSS_LOOKS } from "./looks.js";
import { CAPTIONS } from "../../lib/plane_presets.js";

/** @param {number} share */
const percent = (share) => (Number.isNaN(share) ? "–" : `${Math.round(100 * share)} %`);

/** @param {number} classes @returns {[string, string]} */
const inUse = (classes) => {
  const number = format("classes", classes);
  return [number, number === "1" ? "class in use" : "classes in use"];
};

/** How many pictures answer each caption, with a mark at how many there are. */
export const answersView = (/** @type {number} */ side) => {
  const rows = h("div", { class: "bars" });
  const right = h("b", { class: "number" }),
    used = h("b", { class: "number" }),
    unit = h("span");
  const filled = h("i");
  const element = h(
    "div",
    { class: "answers" },
    h("p", { class: "figure", "data-figure": "right" }, right, " correct"),
    h("p", { class: "figure", "data-figure": "classes" }, used, unit),
    h("i", { class: "gauge" }, filled),
    rows,
  );
  /** @param {import("./scene.js").Scene} now */
  const draw = (now) => {
    const one = now.sides[side];
    say(right, percent(one.accuracy));
    const [number, word] = inUse(one.classes);
    say(used, number);
    say(unit, ` ${word}`);
    filled.style.width = `${(100 * (one.classes - 1)) / (CAPTIONS.length - 1)}%`;
    repeat(rows, CAPTIONS.length, (c) =>
      h(
        "div",
        { style: `--c:${CLASS_COLOURS[c]}` },
        h("span", { text: CAPTIONS[c] }),
        h("i", {}, h("i"), h("u")),
        h("b"),
      ),
    );
    CAPTIONS.forEach((_, c) => {
      const [, bar, count] = rows.children[c].children;
      const real = now.labels.slice(0, now.batch).filter((label) => label === c).length;
      const share = (/** @type {number} */ n) => `${(100 * n) / Math.max(1, now.batch)}%`;
      put(bar.children[0], "style", `width:${share(one.counts[c])}`);
      put(bar.children[1], "style", `left:${share(real)}`);
      say(count, String(one.counts[c]));
      rows.children[c].classList.toggle(
        "lit",
        now.caption === c || now.part === "frequency_penalty" || now.part === "prior_entropy",
      );
    });
  };
  return { element, draw };
};

const TALL = 64; // of the history, in pixels
const ROOM = 126; // for its words

/** Share right, and classes in use, at every step so far. */
export const historyView = (/** @type {number} */ side, /** @type {() => void} */ resized) => {
  const right = s("polyline", { class: "right" }),
    used = s("polyline", { class: "used" });
  const axis = s("path", { class: "axis" }),
    many = s("text", { class: "step", x: 0, y: TALL + 15 });
  const marks = [s("text", { class: "name" }), s("text", { class: "name soft" })];
  const svg = s("svg", { height: TALL + 18, role: "img" }, axis, used, right, ...marks, many);
  const element = h("div", { class: "history" }, svg);
  let wide = 0;
  new ResizeObserver(() => {
    wide = element.clientWidth - ROOM;
    put(axis, "d", `M0 4H${wide}M0 ${TALL}H${wide}`);
    resized();
  }).observe(element);
  /**
   * @param {import("./scene.js").Scene} now
   * @param {{accuracy: number, classes: number}[]} past
   * @param {number} steps
   */
  const draw = (now, past, steps) => {
    const x = (/** @type {number} */ k) => (k * Math.max(0, wide)) / Math.max(steps, past.length - 1);
    const y = (/** @type {number} */ share) => 4 + (TALL - 4) * (1 - share);
    const line = (/** @type {(at: {accuracy: number, classes: number}) => number} */ of) =>
      past.map((at, k) => `${x(k).toFixed(1)},${y(of(at)).toFixed(1)}`).join(" ");
    const classes = (/** @type {{classes: number}} */ at) => (at.classes - 1) / (CAPTIONS.length - 1);
    put(
      right,
      "points",
      line((at) => at.accuracy || 0),
    );
    put(used, "points", line(classes));
    const last = past[past.length - 1];
    const heights = [y(last.accuracy || 0), y(classes(last))];
    if (Math.abs(heights[0] - heights[1]) < 15)
      heights[heights[0] <= heights[1] ? 1 : 0] =
        heights[0] <= heights[1] ? heights[0] + 15 : heights[1] + 15;
    const low = Math.max(0, Math.max(...heights) - TALL);
    const words = [`${percent(last.accuracy)} correct`, inUse(last.classes).join(" ")];
    marks.forEach((mark, k) => {
      put(mark, "x", (x(past.length - 1) + 8).toFixed(1));
      put(mark, "y", (heights[k] - low + 4).toFixed(1));
      say(mark, words[k]);
    });
    say(many, `step ${past.length - 1}`);
    put(svg, "aria-label", `After ${past.length - 1} steps: ${words.join(", ")}.`);
    element.style.setProperty("--c", LOSS_LOOKS[now.sides[side].contender.loss].colour);
  };
  return { element, draw };
};

const LONG = 1000,
  HIGH = 74; // of the chart under the slider

/** Accuracy at the end of 60 steps, for every shift, of both sides. */
export const endsView = () => {
  const lines = [s("polyline"), s("polyline", { "stroke-dasharray": "7 5" })];
  const start = s("polyline", { class: "start" });
  const mark = s("line", { class: "now", y1: 0, y2: HIGH });
  const svg = s(
    "svg",
    { viewBox: `0 0 ${LONG} ${HIGH}`, preserveAspectRatio: "none", role: "img" },
    start,
    mark,
    ...lines,
  );
  const key = h("p", { class: "key" });
  const element = h("div", { class: "ends" }, svg, key);
  let keyed = "";
  /**
   * @param {{shift: number, start: number, ends: number[]}[]} found
   * @param {number} most Largest shift.
   * @param {number} shift
   * @param {import("../../lib/plane.js").Contender[]} contenders
   */
  const draw = (found, most, shift, contenders) => {
    const point = (/** @type {number} */ at, /** @type {number} */ share) =>
      `${((LONG * at) / most).toFixed(1)},${(2 + (HIGH - 4) * (1 - (share || 0))).toFixed(1)}`;
    put(start, "points", found.map((one) => point(one.shift, one.start)).join(" "));
    lines.forEach((line, side) => {
      put(line, "points", found.map((one) => point(one.shift, one.ends[side])).join(" "));
      put(line, "style", `--c:${LOSS_LOOKS[contenders[side].loss].colour}`);
    });
    put(mark, "x1", String((LONG * shift) / most));
    put(mark, "x2", String((LONG * shift) / most));
    const nearest = found.reduce(
      (a, b) => (Math.abs(b.shift - shift) < Math.abs(a.shift - shift) ? b : a),
      found[0],
    );
    const said = nearest
      ? ` At ${nearest.shift.toFixed(1)}: before ${percent(nearest.start)}, ` +
        `A ${percent(nearest.ends[0])}, B ${percent(nearest.ends[1])}.`
      : "";
    put(svg, "aria-label", `Accuracy after 60 steps for each shift.${said}`);
    const swatch = (/** @type {string} */ colour, /** @type {string} */ dash, /** @type {string} */ text) =>
      h(
        "span",
        {},
        s(
          "svg",
          { viewBox: "0 0 22 6", "aria-hidden": "true" },
          s("path", { d: "M0 3H22", style: `--c:${colour}`, "stroke-dasharray": dash }),
        ),
        text,
      );
    const colours = contenders.map((one) => LOSS_LOOKS[one.loss].colour);
    if (colours.join() === keyed) return;
    keyed = colours.join();
    key.replaceChildren(
      "Accuracy after 60 steps, 0 to 100 %, at every shift of these pictures:",
      swatch(colours[0], "", "A"),
      swatch(colours[1], "7 4", "B"),
      swatch("#8a919c", "2 3", "before any step"),
    );
  };
  return { element, draw };
};
