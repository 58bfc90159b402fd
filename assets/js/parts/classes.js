// @ts-check
// Predicted classes, one column of bars per method beside the true counts.

import { lines, numbers, recent, size, sum } from "../lib/decode.js";
import { find, onWidth, roomOf, s } from "../lib/dom.js";
import { format, shorten } from "../lib/format.js";
import { ink, mark } from "../lib/marks.js";
import { clamp } from "../lib/scale.js";
import { at, step, view } from "../lib/store.js";
import { tell } from "../lib/terms.js";
import { hideTip, onHover, showTip } from "../lib/tip.js";

/** @typedef {import("../wire.js").Classes} Classes */
/** @typedef {import("../wire.js").Contender} Contender */
/** @typedef {Map<number, number>} Counted */
/** @typedef {{name: string, index: number}} Row index -1: all classes without a row */

const HEAD = 62;
const MOST_ROWS = 26;
const LEAST_ROWS = 6;
const LEAST_LINE = 14; // height of a row
const CUT = 4; // bars end at so many times the even share

/**
 * Every class; of a long list those that occur most, and one row for all others together.
 * @param {string[]} classes
 * @param {Counted[]} columns
 * @param {number} count rows that there is room for
 * @returns {Row[]}
 */
const rowsOf = (classes, columns, count) => {
  const all = classes.map((name, index) => ({ name, index }));
  if (all.length <= count) return all;
  /** @param {Row} row */
  const most = (row) => Math.max(...columns.map((column) => column.get(row.index) ?? 0));
  const kept = [...all].sort((a, b) => most(b) - most(a)).slice(0, count - 1);
  const others = { name: `${all.length - kept.length} others`, index: -1 };
  return [...kept.sort((a, b) => a.index - b.index), others];
};

/**
 * @param {Row} row
 * @param {Counted} column
 * @param {Row[]} rows
 */
const countOf = (row, column, rows) =>
  row.index >= 0
    ? (column.get(row.index) ?? 0)
    : size(column) - rows.reduce((all, one) => all + (column.get(one.index) ?? 0), 0);

/**
 * Name and gauge of a method.
 * @param {Contender} method
 * @param {{left: number, width: number, used: number, classes: number}} how
 */
const header = (method, { left, width, used, classes }) => {
  const style = ink(method);
  const bar = Math.max(0, width - 14);
  const narrow = width < 110;
  const long = method.title.length * 7.5 > bar - (narrow ? 0 : 15);
  const title = (long && method.title.split(/\s/).find((word) => word.length > 3)) || method.title;
  const text = shorten(title, width - (narrow ? 8 : 20));
  const number = s("tspan", { class: "big", text: format("classes", used) });
  const unit = narrow ? `/ ${classes}` : `of ${classes} in use`;
  const filled = Math.min(bar, Math.max(2, bar * clamp((used || 0) / classes, 0, 1)));
  return s(
    "g",
    { transform: `translate(${left} 0)`, class: "head" },
    !narrow && mark(method, { transform: "translate(5 10)" }),
    s("text", { x: narrow ? 0 : 15, y: 14, class: "who", style, text }),
    s("text", { x: 0, y: 35 }, number, s("tspan", { class: "unit", dx: 4, text: unit })),
    s("rect", { x: 0, y: 43, width: bar, height: 5, rx: 2.5, class: "track" }),
    s("rect", {
      x: 0,
      y: 43,
      width: filled,
      height: 5,
      rx: 2.5,
      class: "fill",
      style,
      "data-gauge": method.name,
    }),
  );
};

/**
 * @param {SVGSVGElement} svg
 * @param {HTMLElement} help
 * @param {Classes} view
 * @param {{width: number, tall: number, zoom: number}} how tall: at most, 0 for as tall as it likes
 * @returns {(event: PointerEvent) => void} what shows the counts under the pointer
 */
const draw = (svg, help, view, { width, tall, zoom }) => {
  const { methods, window, labelled } = view;
  const steps = lines(view.truth);
  const now = at(steps.length);
  const truth = sum(recent(steps, now, window));
  const columns = methods.map((method) => sum(recent(lines(view.counts[method.name]), now, window)));
  const used = methods.map((method) => numbers(view.effective[method.name])[now]);
  const room = tall ? tall - HEAD - 4 : 0;
  const fitting = room ? Math.max(LEAST_ROWS, Math.floor(room / LEAST_LINE)) : MOST_ROWS;
  const rows = rowsOf(view.classes, [...columns, truth], fitting);
  const usual = rows.length > 22 ? 15 : Math.floor((room || 290) / rows.length);
  const line = clamp(usual, LEAST_LINE, 22);
  const longest = Math.max(...rows.map((row) => row.name.length));
  const names = Math.min(width < 460 ? 84 : 118, 14 + 6.6 * longest);
  const column = Math.max(0, width - names - 4) / columns.length;
  const bar = Math.max(0, column - 16); // a chart may be very narrow for a moment
  const images = Math.max(1, ...columns.map(size));
  const most = Math.max((CUT * images) / Math.max(1, view.classes.length), 1);
  /** @param {number} number */
  const long = (number) => (bar * Math.min(number, most)) / most;
  const height = HEAD + rows.length * line + 4;

  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height * zoom}px`;
  svg.replaceChildren();
  rows.forEach((row, i) => {
    const place = { x: names - 10, y: HEAD + i * line + line / 2 + 4, "text-anchor": "end" };
    svg.append(s("text", { ...place, class: "name", text: shorten(row.name, names - 12) }));
  });
  methods.forEach((method, k) => {
    const left = names + k * column;
    svg.append(
      header(method, { left, width: column, used: used[k], classes: view.classes.length }),
      s("line", { x1: left, x2: left, y1: HEAD - 2, y2: height - 2, class: "base" }),
    );
    rows.forEach((row, i) => {
      const y = HEAD + i * line + 1.5;
      const number = countOf(row, columns[k], rows);
      const there = countOf(row, truth, rows);
      const whose = { "data-method": method.name, "data-class": row.name };
      if (number) {
        const box = { x: left + 0.5, y, width: long(number), height: line - 3 };
        svg.append(s("rect", { ...box, ...whose, class: "fill", style: ink(method) }));
      }
      if (number > most && bar > 30) {
        const place = { x: left + bar - 4, y: y + line / 2 + 2, "text-anchor": "end" };
        svg.append(s("text", { ...place, class: "inside", text: `${number} »` }));
      }
      if (labelled && there) {
        const x = left + long(there);
        svg.append(s("line", { x1: x, x2: x, y1: y - 0.5, y2: y + line - 2.5, ...whose, class: "truth" }));
      }
    });
  });
  const past = Math.min(window, now + 1);
  const when = past === 1 ? "in this batch" : `in the last ${past} batches`;
  const marks = labelled ? " A thin mark shows how often it was really there." : "";
  tell(help, `How often each class was predicted ${when}.${marks}`);
  const said = methods.map(
    (method, k) => `${method.title} ${format("classes", used[k])} of ${view.classes.length}`,
  );
  svg.setAttribute("aria-label", `Classes in use: ${said.join(", ")}.`);

  return (event) => {
    const below = (event.clientY - svg.getBoundingClientRect().top) / zoom - HEAD;
    const row = rows[Math.floor(below / line)];
    if (!row) return hideTip();
    /** @type {[Contender | null, string, string][]} */
    const said = methods.map((method, k) => [method, method.title, String(countOf(row, columns[k], rows))]);
    if (labelled) said.unshift([null, "really there", String(countOf(row, truth, rows))]);
    showTip(event, row.name, said);
  };
};

/** @param {import("../part.js").Part<"classes">} part */
export default function mount({ element }) {
  const svg = find(element, "svg", SVGSVGElement);
  const help = find(element, ".help");
  /** @type {Classes | null} */
  let news = null;
  let how = { width: 0, tall: 0, zoom: 1 };
  /** @type {(event: PointerEvent) => void} */
  let hover = hideTip;
  const redraw = () => {
    if (how.width && news?.methods.length) hover = draw(svg, help, news, how);
  };
  onHover(svg, (event) => hover(event));
  onWidth(svg, (now) => {
    const { zoom, height } = roomOf(svg);
    how = { width: now / zoom, tall: height / zoom, zoom };
    redraw();
  });
  step.follow(element, redraw);
  view("classes").follow(element, (now) => {
    news = now;
    redraw();
  });
}
