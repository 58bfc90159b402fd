// @ts-check
// Every method in turn on one stream: the table that fills in, a picture of it, and the buttons.

import { buttonsOf, find, h, onWidth, prefersStillness, s } from "../lib/dom.js";
import { format } from "../lib/format.js";
import { onceStill } from "../lib/latest.js";
import { gain, ink, mark, swatch } from "../lib/marks.js";
import { free } from "../lib/places.js";
import { clamp, linear, QUARTERS, shareTicks } from "../lib/scale.js";
import { choice, comparing, nextPress, settings } from "../lib/store.js";
import { hideTip, onHover, showTip } from "../lib/tip.js";
import { STATES } from "../wire.js";

/** @typedef {import("../wire.js").MethodCard} Card */
/** @typedef {import("../wire.js").Measure} Measure */
/** @typedef {import("../wire.js").RankingRow} Row */
/** @typedef {Required<import("../wire.js").Ranking>} View */

const HEIGHT = 400;
const TOP = 14;
const LEFT = 46;
const FLOOR = HEIGHT - 44;
const NEAR = 40; // pixels from the pointer to a mark
const FARTHEST = 130; // pixels from a mark to its name
const LED = 12; // pixels from a mark to its name, beyond which a line leads there
const STILL = 200; // milliseconds without a change before the stream is described again

/** @type {View} */
const NOTHING = {
  state: "idle",
  stream: "",
  classes: 0,
  methods: [],
  finished: 0,
  share: 0,
  doing: "",
  sentence: "",
  rows: [],
  message: "",
};

/** @param {number | null | undefined} value @returns {value is number} */
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** @param {Row | undefined} row whether it covers the whole stream */
const isWhole = (row) => Boolean(row?.done) && row?.done === row?.total;

/**
 * How far a method is, in words and in classes of CSS.
 * @param {Row | undefined} row undefined for one whose turn is to come
 * @param {boolean} busy whether the comparison goes on
 */
const standingOf = (row, busy) => {
  if (!row) return { note: "", classes: "open" };
  const partly = row.done > 0 && !isWhole(row);
  const place = `${busy ? "batch" : "stopped after"} ${row.done} of ${row.total}`;
  const classes = [row.problem && "failed", busy && row.done < row.total && "now"];
  return { note: row.problem || (partly ? place : ""), classes: classes.filter(Boolean).join(" ") };
};

/**
 * The picture: accuracy against classes in use.
 * @param {SVGSVGElement} svg
 * @param {View} view
 * @param {Map<string, Card>} cards
 * @param {number} width
 * @returns {(event: PointerEvent) => void} what shows the method under the pointer
 */
const drawMap = (svg, view, cards, width) => {
  const classes = Math.max(2, view.classes);
  const right = width - 12;
  const along = linear([0, classes], [LEFT, right]);
  /** @param {number} used */
  const x = (used) => along(Math.min(used, classes));
  const measured = view.rows.flatMap(({ name, numbers }) => {
    const { accuracy, effective_classes: used } = numbers;
    const card = cards.get(name);
    return card && isNumber(accuracy) && isNumber(used) ? [{ card, accuracy, used }] : [];
  });
  const ticks = shareTicks(measured.map(({ accuracy }) => accuracy));
  const y = linear([ticks[0], ticks[ticks.length - 1]], [FLOOR, TOP]);
  const places = measured.map((one) => ({ ...one, px: x(one.used), py: y(one.accuracy) }));
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const half = { x: LEFT, y: TOP, width: Math.max(0, along(classes / 2) - LEFT), height: FLOOR - TOP };
  svg.replaceChildren(
    s("rect", { ...half, class: "zone" }),
    s("text", { x: LEFT + 8, y: TOP + 16, class: "unit", text: "less than half of the classes" }),
  );
  for (const tick of ticks) {
    const line = y(tick);
    svg.append(
      s("line", { x1: LEFT, x2: right, y1: line, y2: line, class: tick === ticks[0] ? "base" : "grid" }),
      s("text", { x: LEFT - 8, y: line + 4, "text-anchor": "end", text: `${+(100 * tick).toFixed(2)}%` }),
    );
  }
  for (const part of QUARTERS) {
    const used = part === 1 ? classes : +(part * classes).toPrecision(3);
    const anchor = part === 1 ? "end" : "middle";
    svg.append(s("text", { x: along(part * classes), y: FLOOR + 16, "text-anchor": anchor, text: used }));
  }
  const unit = { class: "unit", text: `classes in use, of ${classes}` };
  svg.append(s("text", { x: right, y: HEIGHT - 8, "text-anchor": "end", ...unit }));
  const unadapted = places.find(({ card }) => card.name === "zero_shot");
  if (unadapted) {
    const { px, py } = unadapted;
    svg.append(
      s("line", { x1: LEFT, x2: right, y1: py, y2: py, class: "chance" }),
      s("line", { x1: px, x2: px, y1: TOP, y2: FLOOR, class: "chance" }),
    );
  }
  const lines = s("g", { class: "leaders" });
  svg.append(lines);
  for (const { card, px, py } of [...places].reverse()) {
    const transform = `translate(${px.toFixed(1)} ${py.toFixed(1)}) scale(1.35)`;
    svg.append(mark(card, { transform, "data-name": card.name }));
  }
  // Names where there is room for them: the best first, so that it is the others that go without.
  const bounds = { left: LEFT, right: right + 4, top: 0, bottom: FLOOR };
  const taken = places.map(({ px, py }) => ({ left: px - 7, right: px + 7, top: py - 7, bottom: py + 7 }));
  taken.push({ left: LEFT, right: LEFT + 190, top: TOP, bottom: TOP + 22 });
  for (const { card, px, py } of places) {
    const box = free(px, py, 8 * card.title.length, bounds, taken, FARTHEST);
    if (!box) continue;
    taken.push(box);
    const text = { class: "who", style: ink(card), text: card.title };
    const [ex, ey] = [clamp(px, box.left, box.right), clamp(py, box.top, box.bottom)];
    if (Math.hypot(ex - px, ey - py) > LED)
      lines.append(s("line", { x1: px, y1: py, x2: ex, y2: ey, class: "line leader", style: ink(card) }));
    svg.append(s("text", { x: box.left, y: box.bottom - 4, ...text }));
  }
  const said = places.map(
    ({ card, accuracy, used }) => `${card.title} ${format("share", accuracy)}, ${format("classes", used)}`,
  );
  svg.setAttribute("aria-label", `Accuracy and classes in use: ${said.join("; ")}.`);

  return (event) => {
    const box = svg.getBoundingClientRect();
    const far = (/** @type {{px: number, py: number}} */ { px, py }) =>
      Math.hypot(event.clientX - box.left - px, event.clientY - box.top - py);
    const [nearest] = [...places].sort((a, b) => far(a) - far(b));
    if (!nearest || far(nearest) > NEAR) return hideTip();
    showTip(event, nearest.card.title, [
      [nearest.card, "accuracy", format("share", nearest.accuracy)],
      [null, `of ${classes} classes in use`, format("classes", nearest.used)],
    ]);
  };
};

/** @param {import("../part.js").Part<"ranking">} part */
export default function mount({ element, props, watch, trigger, server }) {
  const button = buttonsOf(element);
  const stream = find(element, ".stream");
  const help = find(element, ".about .help");
  const message = find(element, ".message");
  const progress = find(element, ".progress");
  const doing = find(element, ".doing");
  const said = find(element, ".said");
  const aloud = find(element, "[aria-live]");
  const table = find(element, "table", HTMLTableElement);
  const body = find(table, "tbody", HTMLTableSectionElement);
  const map = find(element, ".map");
  const svg = find(map, "svg", SVGSVGElement);
  const cards = new Map(props.methods.map((card) => [card.name, card]));
  /** Who a link takes, until somebody ticks. @type {Set<string> | null} */
  let linked = comparing.value.methods && new Set(comparing.value.methods);
  const isTaken = (/** @type {string} */ name) => !linked || linked.has(name);
  const taking = new Set([...cards.keys()].filter(isTaken)); // methods that are ticked
  /** @type {View} */
  let view = NOTHING;
  const usual = props.knobs[0].name;
  let knobs = props.knobs.find(({ name }) => name === comparing.value.knobs)?.name ?? usual;
  let width = 0;
  let pressed = 0; // the latest press of Compare
  let open = false; // from a press of Compare to its end: what was sent before Stop may arrive after the end
  /** @type {(event: PointerEvent) => void} */
  let hover = hideTip;

  /** Takes in the copies that are set up in Play or were compared. */
  const list = () => {
    const before = new Set(cards.keys());
    const copies = /** @type {import("../wire.js").Copy[]} */ (settings.value?.copies ?? []);
    const also = [...copies.map((copy) => ({ ...copy, name: copy.label })), ...view.rows];
    cards.clear();
    for (const card of props.methods) cards.set(card.name, card);
    for (const { name, method } of also) {
      const card = cards.get(method);
      if (!card || cards.has(name)) continue;
      cards.set(name, { ...card, name, title: name, family: `a copy of ${card.title}` });
      if (!before.has(name) && isTaken(name)) taking.add(name);
    }
    for (const name of taking) if (!cards.has(name)) taking.delete(name);
  };

  const busy = () => STATES[view.state].busy;
  /** @param {string} name */
  const row = (name) => view.rows.find((one) => one.name === name);
  /**
   * @param {Measure} column
   * @param {string} name
   */
  const valueOf = (column, name) =>
    column.name === "cost" ? cards.get(name)?.cost : row(name)?.numbers[column.name];
  /** The columns with something in them; accuracy and work always. */
  const columns = () =>
    props.columns.filter(
      (column) =>
        column.name === "cost" ||
        column.name === "accuracy" ||
        view.rows.some((one) => isNumber(one.numbers[column.name])),
    );

  // ---- how the methods are set, and the buttons ----
  const picks = props.knobs.map((one) => {
    const input = h("input", { type: "radio", name: "ct-knobs" });
    input.addEventListener("change", () => {
      knobs = one.name;
      write();
    });
    return { one, input, node: h("label", {}, input, h("span", { text: one.title })) };
  });
  find(element, ".how").append(
    h("div", { class: "title", id: "ct-how", text: "Hyper-parameters" }),
    h(
      "div",
      { class: "pick", role: "radiogroup", "aria-labelledby": "ct-how" },
      ...picks.map((one) => one.node),
    ),
  );
  const write = () => {
    for (const { one, input } of picks) {
      input.checked = one.name === knobs;
      if (input.checked) help.textContent = one.help;
    }
    button.start.disabled = busy() || !taking.size;
    button.start.textContent =
      taking.size === cards.size ? `Compare all ${cards.size}` : `Compare ${taking.size}`;
    button.stop.disabled = !busy() || view.state === "stopping";
    const methods = taking.size === cards.size ? null : [...taking];
    comparing.put({ methods, knobs: knobs === usual ? null : knobs });
  };

  // ---- the table: the best first, then those whose turn is to come ----
  /**
   * @param {Measure} column
   * @param {Card} card
   */
  const cell = (column, card) => {
    const value = valueOf(column, card.name);
    const text = format(column.kind, value);
    const out = h("td", { "data-column": column.name }, h("span", { class: "value", text }));
    if (!isNumber(value)) return out;
    const [own, unadapted] = [row(card.name), row("zero_shot")];
    const before = unadapted?.numbers.accuracy;
    // Comparable over the whole stream only.
    const compared = column.name === "accuracy" && own !== unadapted && isWhole(own) && isWhole(unadapted);
    if (compared && isNumber(before)) out.append(gain(before, value));
    if (column.bar) {
      const part = clamp(value / (column.full === "classes" ? view.classes : 1), 0, 1);
      const fill = h("i", { class: "fill", style: ink(card) });
      fill.style.width = `${(100 * part).toFixed(1)}%`;
      out.append(h("i", { class: "track", "aria-hidden": "true" }, fill));
    }
    return out;
  };
  /** @param {Card} card */
  const line = (card) => {
    const { name, title } = card;
    const own = row(name);
    const tick = h("input", { type: "checkbox", "aria-label": `${title} takes part` });
    tick.checked = taking.has(name);
    tick.disabled = busy();
    tick.addEventListener("change", () => {
      if (tick.checked) taking.add(name);
      else taking.delete(name);
      linked = null;
      write();
    });
    const watchIt = () => {
      if (!props.methods.includes(card)) return trigger("watch"); // a copy stands in Play already
      const chosen = settings.value?.methods ?? {};
      const room = name in chosen || Object.keys(chosen).length < props.most;
      const beside = room ? chosen : { zero_shot: {} };
      choice.put({ methods: { ...beside, [name]: chosen[name] ?? {} }, lesson: "" });
      trigger("watch");
    };
    const named = { type: "button", class: "name", title: `Watch ${title} in Play`, onclick: watchIt };
    const { note, classes } = standingOf(own, busy());
    return h(
      "tr",
      { "data-name": name, class: classes || null },
      h("td", { class: "tick" }, tick),
      h("td", { class: "place", text: own?.place ?? "" }),
      h(
        "th",
        { scope: "row" },
        h("button", named, swatch(card), h("span", { text: title })),
        h("span", { class: "note", text: note || card.family }),
      ),
      ...columns().map((column) => cell(column, card)),
    );
  };
  const fillTable = () => {
    const before = new Map([...body.rows].map((tr) => [tr.dataset.name, tr.offsetTop]));
    const head = columns().map((column) =>
      h("th", { scope: "col", title: column.help, text: column.short || column.title }),
    );
    find(table, "thead", HTMLTableSectionElement).replaceChildren(
      h(
        "tr",
        {},
        h("th", { class: "tick" }, h("span", { class: "unseen", text: "Takes part" })),
        h("th", { class: "place", scope: "col", text: "Place" }),
        h("th", { scope: "col", text: "Method" }),
        ...head,
      ),
    );
    const focused = document.activeElement;
    const whose = body.contains(focused) ? focused?.closest("tr")?.dataset.name : undefined;
    const what = focused instanceof HTMLInputElement ? "input" : ".name";
    const ranked = view.rows.flatMap((one) => cards.get(one.name) ?? []);
    const waiting = [...cards.values()].filter((card) => !row(card.name));
    body.replaceChildren(...[...ranked, ...waiting].map(line));
    if (whose !== undefined) find(body, `tr[data-name="${whose}"] ${what}`).focus({ preventScroll: true });
    if (prefersStillness()) return;
    for (const tr of body.rows) {
      // Those that change places walk there.
      const from = (before.get(tr.dataset.name) ?? tr.offsetTop) - tr.offsetTop;
      const path = [{ transform: `translateY(${from}px)` }, { transform: "none" }];
      if (from) tr.animate(path, { duration: 350, easing: "ease-out" });
    }
  };

  // ---- all of it ----
  const fillMap = () => {
    const some = view.rows.some(
      ({ numbers }) => isNumber(numbers.accuracy) && isNumber(numbers.effective_classes),
    );
    map.hidden = !some;
    if (width && some) hover = drawMap(svg, view, cards, width);
  };
  const draw = () => {
    list();
    const share = busy() ? view.share : 0;
    progress.hidden = !busy();
    find(progress, "i").style.width = `${100 * share}%`;
    progress.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    const turns = `${view.finished} of ${view.methods.length} methods done`;
    const rested = view.state === "recorded" ? `A recorded comparison: ${view.stream}` : view.stream;
    doing.textContent = busy() ? `${view.doing || "Starting"} · ${turns}` : rested;
    said.textContent = view.sentence;
    said.hidden = !view.sentence;
    message.textContent = view.message;
    message.hidden = !view.message;
    write();
    fillTable();
    fillMap();
  };
  onHover(svg, (event) => hover(event));
  onWidth(svg, (now) => {
    width = now;
    fillMap();
  });
  watch("value", () => {
    const news = props.value ?? NOTHING;
    const goesOn = STATES[news.state].busy;
    if (goesOn && !open) return;
    open = open && goesOn;
    view = { ...view, message: "", ...news };
    if (view.state === "done" || view.state === "stopped") aloud.textContent = view.sentence;
    draw();
  });
  button.start.addEventListener("click", () => {
    open = true;
    view = { ...NOTHING, state: "running", classes: view.classes, stream: view.stream, methods: [...taking] };
    draw();
    pressed = nextPress();
    trigger("start", { methods: [...taking], knobs, press: pressed });
  });
  button.stop.addEventListener("click", () => {
    view = { ...view, state: "stopping" };
    write();
    trigger("stop", { press: pressed });
  });
  // The stream is the one set up in Play.
  const describe = onceStill(
    STILL,
    (wanted) => server.describe(JSON.parse(wanted)),
    (words) => {
      stream.textContent = words
        ? `The stream set up in Play: ${words}`
        : "The settings in Play are not possible as they are.";
    },
  );
  settings.follow(element, (now) => {
    const before = [...cards.keys()].join();
    list();
    if (before !== [...cards.keys()].join()) draw();
    describe(JSON.stringify(now));
  });
  view = { ...view, ...props.value };
  draw();
}
