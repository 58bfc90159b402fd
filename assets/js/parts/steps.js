// @ts-check
// The batch under way, optimization step by step: how the loss, the answers and their classes move.

import { counts, numbers } from "../lib/decode.js";
import { find, h, s } from "../lib/dom.js";
import { DASH, format, shorten } from "../lib/format.js";
import { ink, swatch } from "../lib/marks.js";
import { linear } from "../lib/scale.js";
import { view } from "../lib/store.js";

/** @typedef {import("../wire.js").Steps} Steps */
/** @typedef {import("../wire.js").Measure} Measure */
/** @typedef {import("../wire.js").Contender} Contender */

const [WIDTH, HEIGHT, EDGE] = [150, 34, 4]; // of a measure's curve
const MOST_BARS = 20;
const LONG = 110; // pixels of a class's name

/**
 * One entry of a contender: waiting, at work, done.
 * @param {Steps} view
 * @param {Contender} method
 */
const turn = (view, method) => {
  const done = view.done.includes(method.name);
  const taken = numbers(view.taken[method.name]).pop();
  const [now] = numbers(view.values.accuracy_batch?.[method.name]).slice(-1);
  const right = Number.isFinite(now) ? `${format("share", now)} right` : "done";
  const planned = view.planned[method.name];
  const state = done ? right : taken === undefined ? "waits" : `${taken} of ${planned} steps`;
  const at = method.name === view.work && !done;
  const words = h("span", { text: `${method.title}: ${state}` });
  return h("span", { class: at ? "turn now" : "turn", "data-method": method.name }, swatch(method), words);
};

/**
 * A measure's way over the steps, a line for every method that has begun.
 * @param {Steps} view
 * @param {Measure} measure
 * @param {Contender[]} begun
 */
const way = (view, measure, begun) => {
  const all = begun.flatMap((one) => numbers(view.values[measure.name][one.name])).filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const steps = Math.max(1, ...begun.map((one) => view.planned[one.name] ?? 0));
  const x = linear([0, steps], [EDGE, WIDTH - EDGE]);
  const y = high > low ? linear([low, high], [HEIGHT - EDGE, EDGE]) : () => HEIGHT / 2;
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" };
  const svg = s("svg", box);
  for (const method of begun) {
    const values = numbers(view.values[measure.name][method.name]);
    const taken = numbers(view.taken[method.name]);
    const places = values.flatMap((value, k) =>
      Number.isFinite(value) ? [`${x(taken[k]).toFixed(1)},${y(value).toFixed(1)}`] : [],
    );
    if (!places.length) continue;
    const look = { style: ink(method), "data-method": method.name };
    const [cx, cy] = places[places.length - 1].split(",");
    // Who takes no steps has a level, which the others leave.
    if (!view.planned[method.name])
      svg.append(s("line", { x1: EDGE, x2: WIDTH - EDGE, y1: cy, y2: cy, class: "line level", ...look }));
    else {
      const dash = { "stroke-dasharray": method.dash };
      svg.append(s("polyline", { points: places.join(" "), class: "line", ...dash, ...look }));
      svg.append(s("circle", { cx, cy, r: 3, class: "fill", ...look }));
    }
  }
  return svg;
};

/**
 * @param {Steps} view
 * @param {Measure} measure
 * @param {Contender[]} begun
 */
const row = (view, measure, begun) => {
  const own = numbers(view.values[measure.name][view.work]).filter(Number.isFinite);
  const last = own[own.length - 1];
  const from = own.length > 1 && own[0] !== last ? `from ${format(measure.kind, own[0])}` : "";
  return h(
    "div",
    { class: "measure", "data-measure": measure.name, title: measure.help },
    h("span", { class: "name", text: measure.short || measure.title }),
    way(view, measure, begun),
    h("b", { text: last === undefined ? DASH : format(measure.kind, last) }),
    h("span", { class: "from", text: from }),
  );
};

/**
 * How often each class is predicted now; of many classes those that occur most. A line marks where zero-shot
 * CLIP's answers end, and a tick how often the class is really there.
 * @param {Steps} view
 * @param {Contender} method
 */
const bars = (view, method) => {
  const now = counts(view.counts[method.name]?.trim());
  const before = counts(view.counts.zero_shot?.trim());
  const truth = counts(view.truth.trim());
  /** @param {number} k */
  const most = (k) => Math.max(now.get(k) ?? 0, before.get(k) ?? 0, truth.get(k) ?? 0);
  const listed = view.classes
    .map((_, k) => k)
    .filter(most)
    .sort((a, b) => most(b) - most(a))
    .slice(0, MOST_BARS)
    .sort((a, b) => a - b);
  const top = Math.max(1, ...listed.map(most));
  /** @param {number} count */
  const share = (count) => `${(100 * count) / top}%`;
  return listed.map((k) => {
    const [is, was, really] = [now, before, truth].map((found) => found.get(k) ?? 0);
    const there = view.labelled ? `, ${really} really there` : "";
    const said = `${view.classes[k]}: ${is} now, ${was} by zero-shot CLIP${there}`;
    return h(
      "div",
      {
        class: "bar",
        "data-class": view.classes[k],
        "data-count": is,
        role: "img",
        "aria-label": said,
        title: said,
      },
      h("span", { class: "name", text: shorten(view.classes[k], LONG) }),
      h(
        "span",
        { class: "track" },
        h("i", { class: "is", style: `width:${share(is)};${ink(method)}` }),
        was > 0 && h("i", { class: "was", style: `width:${share(was)}` }),
        view.labelled && really > 0 && h("i", { class: "truth", style: `left:${share(really)}` }),
      ),
      h("span", { class: "count", text: is }),
    );
  });
};

/** @param {import("../part.js").Part<"steps">} part */
export default function mount({ element }) {
  const figure = find(element, "figure");
  const title = find(element, "h3");
  const turns = find(element, ".turns");
  const moving = find(element, ".moving");
  const histogram = find(element, ".bars");
  const help = find(element, ".help");

  view("steps").follow(element, (/** @type {Steps | null} */ news) => {
    figure.hidden = !news;
    if (!news) return;
    const begun = news.methods.filter((one) => one.name in news.taken);
    const work = news.methods.find((one) => one.name === news.work) ?? begun[0];
    title.textContent = `Inside batch ${news.batch}`;
    turns.replaceChildren(...news.methods.map((one) => turn(news, one)));
    moving.replaceChildren(...news.measures.map((one) => row(news, one, begun)));
    histogram.replaceChildren(...bars(news, work));
    const ticks = news.labelled ? " A tick: how often it is really there." : "";
    const outline = "In outline: the answers of zero-shot CLIP.";
    help.textContent = `${news.says} Numbers and bars are those of ${work.title}. ${outline}${ticks}`.trim();
  });
}
