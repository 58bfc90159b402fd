// @ts-check
// Predicted classes, one column of bars per method beside the true counts.

import { callings, widthOf } from "../lib/called.js";
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

const HEAD = 62; // with names of one line
const LINE = 11; // of a name
const [NARROW, SMALL] = [110, 76]; // columns in which a header is shorter, or smaller, too
const SLANT = Math.PI / 3; // of names that have no room in their columns
const LONG = 16; // letters of such a name, at most
const MANY = 4; // methods beyond which a chart is not drawn larger than usual
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

/** @param {number} width of the column */
const sizeOf = (width) => (width < SMALL ? 11 : 13); // of a name, in pixels

/**
 * A name in one line, or in two where the column is narrow; null where even that takes more room.
 * @param {string} name
 * @param {number} width of the column
 */
const linesOf = (name, width) => {
  const room = width - (width < SMALL ? 3 : width < NARROW ? 6 : 20);
  /** @param {string} text */
  const fits = (text) => widthOf(text, sizeOf(width)) <= room;
  if (fits(name)) return [name];
  const words = name.split(" ");
  let first = words.shift() ?? "";
  while (words.length && fits(`${first} ${words[0]}`)) first += ` ${words.shift()}`;
  const lines = [first, words.join(" ")].filter(Boolean);
  return lines.every(fits) ? lines : null;
};

/**
 * What the names of classes take of the width.
 * @param {string[]} classes
 * @param {number} width of the chart
 */
const besideOf = (classes, width) =>
  Math.min(width < 460 ? 84 : 118, 14 + 6.6 * Math.max(...classes.map((name) => name.length)));

/**
 * The names above the columns, in one or two lines; where one of them has no room for that, all in one line
 * and aslant.
 * @param {Classes} view
 * @param {number} whole width of the chart
 */
const headingsOf = (view, whole) => {
  const titles = view.methods.map(({ title }) => title);
  const width = (whole - besideOf(view.classes, whole) - 4) / titles.length;
  const upright = titles.map((title) => {
    const names = callings(title, titles).map((name) => linesOf(name, width));
    return names.find((lines) => lines !== null) ?? null;
  });
  if (upright.every((lines) => lines !== null)) {
    return {
      names: upright,
      down: LINE * (Math.max(1, ...upright.map((lines) => lines.length)) - 1),
      slant: 0,
    };
  }
  const short = titles.map((title) => shorten(callings(title, titles).at(-1) ?? title, LONG, 1));
  const longest = Math.max(...short.map((name) => widthOf(name, sizeOf(width))));
  return { names: short.map((name) => [name]), down: Math.sin(SLANT) * longest - LINE, slant: SLANT };
};

/**
 * Name and gauge of a method.
 * @param {Contender} method
 * @param {object} how
 * @param {number} how.left
 * @param {number} how.width
 * @param {number} how.used classes in use
 * @param {number} how.classes
 * @param {string[]} how.lines of the name
 * @param {number} how.down how far the number and the gauge are moved down by the names
 * @param {number} how.slant of the name, in radians
 */
const header = (method, { left, width, used, classes, lines, down, slant }) => {
  const style = ink(method);
  const bar = Math.max(0, width - 14);
  const narrow = width < NARROW;
  const small = width < SMALL;
  const big = small ? `font-size:${Math.min(19, (width - 4) / 2.3)}px` : null; // "18.9" in the column
  const number = s("tspan", { class: "big", style: big, text: format("classes", used) });
  const unit = small ? "" : narrow ? `/ ${classes}` : `of ${classes} in use`;
  const font = `${style};font-size:${sizeOf(width)}px`;
  const turned = slant ? `translate(10 ${18 + down}) rotate(${(-180 * slant) / Math.PI})` : null;
  const names = lines.map((text, k) => {
    const place = turned ? { transform: turned } : { x: narrow ? 0 : 15, y: 14 + LINE * k };
    return s("text", { ...place, class: "who", style: font, text });
  });
  const filled = Math.min(bar, Math.max(2, bar * clamp((used || 0) / classes, 0, 1)));
  return s(
    "g",
    { transform: `translate(${left} 0)`, class: "head" },
    !narrow && mark(method, { transform: "translate(5 10)" }),
    ...names,
    s("text", { x: 0, y: 35 + down }, number, unit && s("tspan", { class: "unit", dx: 4, text: unit })),
    s("rect", { x: 0, y: 43 + down, width: bar, height: 5, rx: 2.5, class: "track" }),
    s("rect", {
      x: 0,
      y: 43 + down,
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
  // What names take is known before rows are chosen: by the widest column there may be.
  const headings = headingsOf(view, width);
  const { down, slant } = headings;
  const head = HEAD + down;
  const room = tall ? tall - head - 4 : 0;
  const fitting = room ? Math.max(LEAST_ROWS, Math.floor(room / LEAST_LINE)) : MOST_ROWS;
  const rows = rowsOf(view.classes, [...columns, truth], fitting);
  const usual = rows.length > 22 ? 15 : Math.floor((room || 290) / rows.length);
  const line = clamp(usual, LEAST_LINE, 22);
  const names = besideOf(
    rows.map((row) => row.name),
    width,
  );
  const column = Math.max(0, width - names - 4) / columns.length;
  const bar = Math.max(0, column - 16); // a chart may be very narrow for a moment
  const images = Math.max(1, ...columns.map(size));
  const most = Math.max((CUT * images) / Math.max(1, view.classes.length), 1);
  /** @param {number} number */
  const long = (number) => (bar * Math.min(number, most)) / most;
  const height = head + rows.length * line + 4;

  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height * zoom}px`;
  svg.replaceChildren();
  rows.forEach((row, i) => {
    const place = { x: names - 10, y: head + i * line + line / 2 + 4, "text-anchor": "end" };
    svg.append(s("text", { ...place, class: "name", text: shorten(row.name, names - 12) }));
  });
  methods.forEach((method, k) => {
    const left = names + k * column;
    svg.append(
      header(method, {
        left,
        width: column,
        used: used[k],
        classes: view.classes.length,
        lines: headings.names[k],
        down,
        slant,
      }),
      s("line", { x1: left, x2: left, y1: head - 2, y2: height - 2, class: "base" }),
    );
    rows.forEach((row, i) => {
      const y = head + i * line + 1.5;
      const number = countOf(row, columns[k], rows);
      const there = countOf(row, truth, rows);
      const whose = { "data-method": method.name, "data-class": row.name };
      if (number) {
        const box = { x: left + 0.5, y, width: long(number), height: line - 3 };
        svg.append(s("rect", { ...box, ...whose, class: "fill", style: ink(method) }));
      }
      if (number > most) {
        const place = { x: left + bar - 4, y: y + line / 2 + 2, "text-anchor": "end" };
        svg.append(s("text", { ...place, class: "inside", text: bar > 30 ? `${number} »` : "»" }));
      }
      if (labelled && there) {
        const x = left + long(there);
        svg.append(s("line", { x1: x, x2: x, y1: y - 0.5, y2: y + line - 2.5, ...whose, class: "truth" }));
      }
    });
  });
  const cut = rows.some((row) => columns.some((column) => countOf(row, column, rows) > most));
  const past = Math.min(window, now + 1);
  const when = past === 1 ? "in this batch" : `in the last ${past} batches`;
  const marks = labelled ? " A thin mark shows how often it was really there." : "";
  const ends = cut ? ` A bar with » goes on: bars end at ${CUT} times an even share.` : "";
  tell(help, `How often each class was predicted ${when}.${marks}${ends}`);
  const said = methods.map(
    (method, k) => `${method.title} ${format("classes", used[k])} of ${view.classes.length}`,
  );
  svg.setAttribute("aria-label", `Classes in use: ${said.join(", ")}.`);

  return (event) => {
    const below = (event.clientY - svg.getBoundingClientRect().top) / zoom - head;
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
  let how = { width: 0, tall: 0, zoom: 1 }; // in pixels
  /** @type {(event: PointerEvent) => void} */
  let hover = hideTip;
  const redraw = () => {
    if (!how.width || !news?.methods.length) return;
    const large = news.methods.length <= MANY && !headingsOf(news, how.width / how.zoom).slant;
    const zoom = large ? how.zoom : 1;
    hover = draw(svg, help, news, { width: how.width / zoom, tall: how.tall / zoom, zoom });
  };
  onHover(svg, (event) => hover(event));
  onWidth(svg, (now) => {
    const { zoom, height } = roomOf(svg);
    how = { width: now, tall: height, zoom };
    redraw();
  });
  step.follow(element, redraw);
  view("classes").follow(element, (now) => {
    news = now;
    redraw();
  });
}
