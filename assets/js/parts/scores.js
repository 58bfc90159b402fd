// @ts-check
// Scores of known (upwards) and unknown (downwards) images around the threshold.

import { histogram, outline, rangeOf } from "../lib/bins.js";
import { lines, numbers, recent } from "../lib/decode.js";
import { find, onWidth, roomOf, s } from "../lib/dom.js";
import { format } from "../lib/format.js";
import { ink, mark } from "../lib/marks.js";
import { clamp, linear } from "../lib/scale.js";
import { at, step, view } from "../lib/store.js";
import { hideTip, onHover, showTip } from "../lib/tip.js";

/** @typedef {import("../wire.js").Scores} Scores */
/** @typedef {import("../wire.js").Contender} Contender */

const ROW = 118; // height of a method
const BASE = 58; // between known and unknown
const HALF = 40; // of the tallest column
const BINS = 28;
const PAST = 16; // earlier thresholds that are still marked
const LEFT = 4;

/**
 * @param {Scores} view
 * @param {Contender} method
 * @param {{now: number, width: number, top: number}} how
 */
const panel = (view, method, { now, width, top }) => {
  /** @param {string} text */
  const scores = (text) => recent(lines(text), now, view.window).flatMap((line) => numbers(line));
  const known = scores(view.known[method.name]);
  const unknown = scores(view.unknown[method.name]);
  const thresholds = numbers(view.threshold[method.name]);
  const right = width - (width < 460 ? 96 : 170);
  const style = ink(method);
  const group = s(
    "g",
    { transform: `translate(0 ${top})`, "data-method": method.name },
    mark(method, { transform: "translate(9 9)" }),
    s("text", { x: 19, y: 13, class: "who", style, text: method.title }),
  );
  if (known.length + unknown.length < 2) return group;
  const [low, high] = rangeOf([...known, ...unknown], thresholds[now]);
  const upper = histogram(known, low, high, BINS);
  const lower = histogram(unknown, low, high, BINS);
  const unit = HALF / Math.max(...upper, ...lower, 1e-9);
  const edge = linear([0, BINS], [LEFT, right]);
  const place = linear([low, high], [LEFT, right]);
  group.append(
    s("path", { d: outline(upper, edge, BASE, unit), class: "fill", style }),
    s("path", { d: outline(lower, edge, BASE, -unit), class: "unknown" }),
    s("line", { x1: LEFT, x2: right, y1: BASE, y2: BASE, class: "base" }),
    s("text", { x: right, y: 30, "text-anchor": "end", class: "unit", text: "known" }),
    s("text", { x: right, y: 100, "text-anchor": "end", class: "unit", text: "unknown" }),
  );
  const earlier = thresholds.slice(Math.max(0, now - PAST), now).filter(Number.isFinite);
  earlier.forEach((threshold, i) => {
    const x = clamp(place(threshold), LEFT, right);
    const faded = { class: "earlier", opacity: (i + 1) / (earlier.length + 1) };
    group.append(s("line", { x1: x, x2: x, y1: BASE - 5, y2: BASE + 5, ...faded }));
  });
  if (Number.isFinite(thresholds[now])) {
    const x = place(thresholds[now]);
    group.append(s("line", { x1: x, x2: x, y1: 16, y2: BASE + HALF + 4, class: "threshold" }));
  }
  /** @param {Record<string, string>} history */
  const share = (history) => format("share", numbers(history[method.name])[now]);
  const x = right + 18;
  group.append(
    s("text", { x, y: 46, class: "big", text: share(view.auroc) }),
    s("text", { x, y: 61, class: "unit", text: "AUROC" }),
    s("text", { x, y: 82, class: "value", text: share(view.fpr95) }),
    s("text", { x, y: 96, class: "unit", text: "FPR95" }),
  );
  return group;
};

/**
 * @param {SVGSVGElement} svg
 * @param {Scores} view
 * @param {{width: number, tall: number}} how in pixels; tall: at most, 0 for as tall as it likes
 * @returns {(event: PointerEvent) => void} what shows the numbers under the pointer
 */
const draw = (svg, view, how) => {
  const now = at(Math.max(...Object.values(view.known).map((text) => lines(text).length)));
  const height = ROW * view.methods.length;
  const zoom = how.tall ? how.tall / height : 1;
  const width = how.width / zoom;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height * zoom}px`;
  svg.replaceChildren(...view.methods.map((method, k) => panel(view, method, { now, width, top: k * ROW })));
  /**
   * @param {"auroc" | "fpr95" | "threshold" | "accepted"} key
   * @param {Contender} method
   */
  const number = (key, method) =>
    format(key === "threshold" ? "number" : "share", numbers(view[key][method.name])[now]);
  const said = view.methods.map(
    (method) => `${method.title} AUROC ${number("auroc", method)}, FPR95 ${number("fpr95", method)}`,
  );
  svg.setAttribute("aria-label", `Known against unknown: ${said.join("; ")}.`);

  return (event) => {
    const method = view.methods[Math.floor((event.clientY - svg.getBoundingClientRect().top) / (ROW * zoom))];
    if (!method) return hideTip();
    showTip(event, `${method.title}, batch ${now + 1}`, [
      [null, "AUROC", number("auroc", method)],
      [null, "FPR95", number("fpr95", method)],
      [null, "threshold", number("threshold", method)],
      [null, "accepted", number("accepted", method)],
    ]);
  };
};

/** @param {import("../part.js").Part<"scores">} part */
export default function mount({ element }) {
  const figure = find(element, "figure");
  const svg = find(element, "svg", SVGSVGElement);
  /** @type {Scores | null} */
  let news = null;
  let how = { width: 0, tall: 0 };
  /** @type {(event: PointerEvent) => void} */
  let hover = hideTip;
  const redraw = () => {
    figure.hidden = !news;
    if (how.width > 0 && news) hover = draw(svg, news, how);
  };
  onHover(svg, (event) => hover(event));
  // Of the part, as a hidden figure has no width; less the figure's padding.
  onWidth(element, (now) => {
    how = { width: now - 40, tall: roomOf(svg).height };
    redraw();
  });
  step.follow(element, redraw);
  view("scores").follow(element, (now) => {
    news = now;
    redraw();
  });
  redraw();
}
