// @ts-check
// Curves over the stream, one per method.

import { callings, widthOf } from "../lib/called.js";
import { clear } from "../lib/clear.js";
import { numbers } from "../lib/decode.js";
import { find, h, onWidth, roomOf, s } from "../lib/dom.js";
import { format, shorten } from "../lib/format.js";
import { ink, mark } from "../lib/marks.js";
import { batchTicks, clamp, linear, niceTop, polyline, QUARTERS } from "../lib/scale.js";
import { spread } from "../lib/spread.js";
import { at, curve, looks, step, view } from "../lib/store.js";
import { tell } from "../lib/terms.js";
import { hideTip, onHover, showTip } from "../lib/tip.js";

/** @typedef {import("../wire.js").Curves} Curves */
/** @typedef {import("../wire.js").Measure} Measure */

const HEIGHT = 330;
const TOP = 14;
const LEFT = 44;
const FOOT = 30; // below where 0 is
const FITTED = 0.25; // of a share's scale: what takes less has the scale to itself
const CHANCE = 42; // width of that word
const INSET = 10; // of the first batch from the axis
const NAME = 13; // pixels, the size of a name
const LABEL = 30; // height of a name with its value below
const SPAN = 12; // between the end of a line and its name
const [PART, MOST] = [0.3, 0.42]; // of the width: what whole names may take, and short ones
const [ABOVE, BELOW] = [TOP + 8, FOOT + 14]; // what names keep off the edges

/** @type {Curves} */
const NOTHING = {
  methods: [],
  total: 0,
  labelled: false,
  unknowns: false,
  classes: 0,
  more: [],
  curves: {},
  low: {},
  high: {},
};

/**
 * The measures that the stream of a run allows.
 * @param {Measure[]} options
 * @param {Curves} view
 */
const fitting = (options, view) => {
  const has = { "": true, labels: view.labelled, unknowns: view.unknowns };
  return options.filter((one) => has[one.needs] && (!view.total || view.curves[one.name]));
};

/**
 * The one that is drawn: the reader's choice, else accuracy, else what there is without labels.
 * @param {Measure[]} options
 * @param {string | null} chosen
 */
const pick = (options, chosen) =>
  options.find((one) => one.name === chosen) ??
  options.find((one) => one.needs === "labels") ??
  options.find((one) => one.name === "changed") ??
  options[0];

/**
 * The ends of the scale: all that is possible, or what is shown where that takes little of it.
 * @param {Measure} measure
 * @param {number} classes
 * @param {number[]} values
 * @returns {[number, number]}
 */
const endsOf = (measure, classes, values) => {
  const shown = values.filter(Number.isFinite);
  const [least, most] = [Math.min(...shown), Math.max(...shown)];
  if (measure.full === "classes") return [0, Math.max(1, classes)];
  if (measure.full !== "one") {
    const top = niceTop(Math.max(0, most));
    return shown.length && least < 0 ? [-niceTop(-least), most > 0 ? top : 0] : [0, shown.length ? top : 1];
  }
  if (!shown.length || most - least > FITTED) return [0, 1];
  const span = [0.02, 0.04, 0.1, 0.2].find((one) => one >= 1.3 * (most - least)) ?? 0.4;
  const unit = span / 4;
  const low = Math.floor((most + least - span) / 2 / unit) * unit;
  return low + span > 1 ? [1 - span, 1] : [Math.max(0, low), Math.max(0, low) + span];
};

/**
 * @param {Measure} measure
 * @param {number} total batches
 * @param {[number, number]} ends
 * @param {{x: (batch: number) => number, y: (value: number) => number, right: number, height: number}} place
 */
const axes = (measure, total, [bottom, top], { x, y, right, height }) => {
  const group = s("g", { class: "axes" });
  for (const part of QUARTERS) {
    const tick = bottom + part * (top - bottom);
    const line = y(tick);
    const text = measure.kind === "share" ? `${+(100 * tick).toPrecision(3)}%` : String(+tick.toPrecision(2));
    group.append(
      s("line", { x1: LEFT, x2: right, y1: line, y2: line, class: part ? "grid" : "base" }),
      s("text", { x: LEFT - 8, y: line + 4, "text-anchor": "end", class: "tick", text }),
    );
  }
  for (const batch of batchTicks(Math.max(1, total), (right - LEFT) / 34)) {
    group.append(s("text", { x: x(batch - 1), y: height - 10, "text-anchor": "middle", text: batch }));
  }
  group.append(s("text", { x: right + 12, y: height - 10, class: "unit", text: "batch" }));
  return group;
};

/**
 * The level of guessing, with its word where nothing else is drawn.
 * @param {number} y
 * @param {number} right
 * @param {number} floor
 * @param {[number, number][][]} paths of all that it must not meet
 */
const chanceLine = (y, right, floor, paths) => {
  const heights = floor - y > 13 ? [12, -5] : [-5];
  const spots = heights.flatMap((down) => [
    { x: LEFT + 6, y: y + down },
    { x: right - 6 - CHANCE, y: y + down },
  ]);
  const spot = spots.find((one) => clear([one.x, one.y - 10, one.x + CHANCE, one.y + 2], paths)) ?? spots[0];
  return s(
    "g",
    {},
    s("line", { x1: LEFT, x2: right, y1: y, y2: y, class: "chance" }),
    s("text", { ...spot, class: "unit", text: "chance" }),
  );
};

/**
 * The width of the longest of some names.
 * @param {string[]} names
 */
const longestOf = (names) => Math.max(0, ...names.map((name) => widthOf(name, NAME)));

/**
 * How much larger than usual a chart can be drawn, at most `zoom`, so that the names beside it have room.
 * @param {string[]} titles
 * @param {{width: number, height: number, zoom: number}} how in pixels
 */
const fittingZoom = (titles, { width, height, zoom }) => {
  const short = longestOf(titles.map((title) => callings(title, titles).at(-1) ?? title));
  const wide = (MOST * width - SPAN) / Math.max(1, short);
  const tall = height / (ABOVE + BELOW + LABEL * (titles.length - 1));
  return Math.max(1, Math.min(zoom, wide, tall));
};

/**
 * @param {SVGSVGElement} svg
 * @param {Curves} view
 * @param {{width: number, height: number, measure: Measure}} how
 * @returns {(event: PointerEvent) => void} what shows the values under the pointer
 */
const draw = (svg, view, { width, height, measure }) => {
  const floor = height - FOOT;
  const lines = view.methods.map((method) => numbers(view.curves[measure.name]?.[method.name]));
  const count = Math.max(0, ...lines.map((line) => line.length));
  const now = at(count);
  const titles = view.methods.map((method) => method.title);
  const short = longestOf(titles.map((title) => callings(title, titles).at(-1) ?? title));
  const names = Math.max(
    Math.min(PART * width, longestOf([...titles, "Zero-shot"])),
    Math.min(MOST * width, short),
  );
  const right = width - SPAN - names;
  const bands = view.methods.map((method) =>
    [view.low, view.high].map((side) => numbers(side[measure.name]?.[method.name])),
  );
  const bounds = endsOf(measure, view.classes, [...lines, ...bands.flat()].flat());
  const last = Math.max(2, view.total) - 1;
  const x = linear([0, last], [LEFT + INSET, right]);
  const place = linear(bounds, [floor, TOP]);
  /** @param {number} value */
  const y = (value) => place(clamp(value, ...bounds));

  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(axes(measure, view.total, bounds, { x, y, right, height }));
  const looksBack = now < count - 1;
  const ground = s("g"); // below the lines
  svg.append(ground);
  if (looksBack) {
    svg.append(s("line", { x1: x(now), x2: x(now), y1: TOP, y2: floor, class: "cursor" }));
  }
  const ends = view.methods.flatMap((method, k) => {
    const line = lines[k];
    const stroke = { style: ink(method), "stroke-dasharray": method.dash };
    const [low, high] = bands[k];
    if (low.length > now && high.length > now) {
      const above = polyline(high, 0, now, x, y);
      const below = polyline(low, 0, now, x, y).split(" ").reverse().join(" ");
      svg.append(s("polygon", { class: "band ink", points: `${above} ${below}`, style: ink(method) }));
    }
    const later = polyline(line, now, line.length - 1, x, y);
    const points = polyline(line, 0, now, x, y);
    svg.append(
      s("polyline", { ...stroke, class: "line later", points: later }),
      s("polyline", { ...stroke, class: "line", points, "data-method": method.name }),
    );
    const end = line.findLastIndex((value, batch) => batch <= now && Number.isFinite(value));
    return end < 0 ? [] : [{ method, value: line[end], x: x(end), y: y(line[end]) }];
  });
  for (const end of ends) {
    svg.append(mark(end.method, { transform: `translate(${end.x} ${end.y})`, "data-end": end.method.name }));
  }
  const heights = ends.map((end) => end.y);
  const places = spread(heights, LABEL, ABOVE, height - BELOW);
  const crowded = height - BELOW - ABOVE < LABEL * (ends.length - 1); // then names have no value below
  // Beside the end of its line; looking back, where they do not cover what came later.
  const besides = ends.map((end) => (looksBack ? right : Math.min(end.x, right)) + SPAN);
  ends.forEach(({ method, value }, k) => {
    const left = besides[k];
    const room = width - left;
    const called = callings(method.title, titles).find((name) => widthOf(name, NAME) <= room + 0.5);
    const text = called ?? shorten(method.title, room, NAME / 2);
    svg.append(
      s("text", { x: left, y: places[k] + (crowded ? 4 : -2), class: "who", style: ink(method), text }),
    );
    if (crowded) return;
    svg.append(s("text", { x: left, y: places[k] + 12, class: "value", text: format(measure.kind, value) }));
  });
  if (measure.chance && view.classes > 1 && 1 / view.classes >= bounds[0]) {
    /** @type {[number, number][][]} */
    const paths = lines.map((line) => line.map((value, batch) => [x(batch), y(value)]));
    for (const [k, left] of besides.entries())
      for (const down of [-LABEL / 3, 0, LABEL / 3])
        paths.push([left, left + names].map((side) => [side, places[k] + down])); // a name with its value
    ground.append(chanceLine(y(1 / view.classes), right, floor, paths));
  }
  const said = ends.map(({ method, value }) => `${method.title} ${format(measure.kind, value)}`).join(", ");
  svg.setAttribute("aria-label", `${measure.title} at batch ${now + 1}: ${said || "nothing yet"}.`);
  svg.dataset.frame = String(Number(svg.dataset.frame ?? 0) + 1); // how often it has been drawn

  return (event) => {
    if (count < 1) return;
    const pointed = ((event.clientX - svg.getBoundingClientRect().left) * width) / svg.clientWidth;
    const batch = Math.round(clamp(linear([LEFT + INSET, right], [0, last])(pointed), 0, count - 1));
    const values = view.methods.map((method, k) => ({ method, value: lines[k][batch] }));
    values.sort((a, b) => (b.value || 0) - (a.value || 0));
    showTip(
      event,
      `${measure.title}, batch ${batch + 1}`,
      values.map(({ method, value }) => [method, method.title, format(measure.kind, value)]),
    );
    svg.querySelector(".hair")?.remove();
    svg.append(s("line", { class: "hair", x1: x(batch), x2: x(batch), y1: TOP, y2: floor }));
  };
};

/** @param {import("../part.js").Part<"curves">} part */
export default function mount({ element, props }) {
  const select = find(element, "select", HTMLSelectElement);
  const help = find(element, ".help");
  const svg = find(element, "svg", SVGSVGElement);
  let news = NOTHING;
  let how = { width: 0, height: HEIGHT, zoom: 1 }; // in pixels
  let listed = "";
  /** @type {(event: PointerEvent) => void} */
  let hover = hideTip;

  const redraw = () => {
    if (!how.width) return;
    const [usual, more] = [fitting(props.options, news), fitting(news.more, news)];
    const options = [...usual, ...more];
    const names = options.map((one) => one.name).join();
    if (names !== listed) {
      listed = names;
      /** @param {Measure} one */
      const entry = (one) => h("option", { value: one.name, text: one.title });
      const reported = h("optgroup", { label: "What methods report" }, ...more.map(entry));
      select.replaceChildren(...usual.map(entry), ...(more.length ? [reported] : []));
    }
    const measure = pick(options, curve.value);
    select.value = measure.name;
    tell(help, measure.help);
    const titles = news.methods.map((method) => method.title);
    const zoom = fittingZoom(titles, how);
    svg.style.height = `${how.height}px`;
    hover = draw(svg, news, { width: how.width / zoom, height: how.height / zoom, measure });
  };
  select.addEventListener("change", () => {
    curve.put(select.value);
  });
  onHover(
    svg,
    (event) => hover(event),
    () => svg.querySelector(".hair")?.remove(),
  );
  onWidth(svg, (now) => {
    const { zoom, height } = roomOf(svg);
    how = { width: now, height: height || HEIGHT, zoom };
    redraw();
  });
  looks.follow(element, (now) => curve.put(now.curve));
  step.follow(element, redraw);
  curve.follow(element, redraw);
  view("curves").follow(element, (now) => {
    news = now;
    redraw();
  });
}
