// @ts-check
// A table of many runs: what to measure, the heat map that fills in, and the card of one cell.

import { buttonsOf, find, h } from "../lib/dom.js";
import { bytesOf, save } from "../lib/files.js";
import { DASH, plural, points } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { choice, nextPress } from "../lib/store.js";
import { hideTip, showTip } from "../lib/tip.js";
import { STATES } from "../wire.js";

/** @typedef {Required<import("../wire.js").Heat>} View */
/** @typedef {import("../wire.js").HeatRow} Row */

const FULL = 0.2; // a difference of so much has the full colour
const STRONGEST = 45; // percent of the colour in the paper, so that ink on it can be read
const FILES = ["csv", "md", "tex", "png", "svg"];
const UNANSWERED = "The server did not answer; please try again.";

/** @type {View} */
const NOTHING = {
  state: "idle",
  table: "",
  size: "",
  columns: [],
  shifts: 0,
  rows: [],
  baseline: -1,
  now: [],
  done: 0,
  count: 0,
  doing: "",
  advice: [],
  message: "",
};

/** @param {number | null} value */
const percent = (value) => (value === null ? DASH : (100 * value).toFixed(1));

/** @param {import("../part.js").Part<"heat">} part */
export default function mount({ element, props, watch, trigger, server }) {
  const button = buttonsOf(element);
  const menus = {
    table: find(element, "[data-of=table]", HTMLSelectElement),
    size: find(element, "[data-of=size]", HTMLSelectElement),
  };
  const filters = {
    methods: find(element, "[data-of=methods]", HTMLInputElement),
    shifts: find(element, "[data-of=shifts]", HTMLInputElement),
  };
  const help = find(element, ".size.help");
  const message = find(element, ".message");
  const progress = find(element, ".progress");
  const doing = find(element, ".doing");
  const advice = find(element, ".advice");
  const aloud = find(element, "[aria-live]");
  const table = find(element, "table", HTMLTableElement);
  const head = find(table, "thead", HTMLTableSectionElement);
  const body = find(table, "tbody", HTMLTableSectionElement);
  const compared = find(element, ".compared");
  const card = find(element, ".card");
  /** @type {View} */
  let view = NOTHING;
  let pressed = 0; // the latest press of Start
  let open = false; // from a press of Start to its end: what was sent before Stop may arrive after the end
  /** @type {{column: number, way: "descending" | "ascending"} | null} */
  let sorted = null;
  let shape = ""; // of what is drawn
  /** @type {HTMLTableRowElement[]} rows in the order of the table */
  let lines = [];
  /** @type {HTMLElement[][]} what is in the cells */
  let cells = [];
  /** @type {Record<string, any>} what Open in Play puts into the form */
  let there = {};

  const busy = () => STATES[view.state].busy;
  const wanted = () => ({
    table: menus.table.value,
    size: menus.size.value,
    methods: filters.methods.value.trim(),
    shifts: filters.shifts.value.trim(),
  });
  const needs = () => props.tables.find((one) => one.name === menus.table.value)?.needs ?? "";
  /** @param {string} text */
  const complain = (text) => {
    message.textContent = text;
    message.hidden = !text;
  };

  // ---- one cell ----
  /**
   * How much better a cell is than the row it is compared with; null where that says nothing.
   * @param {number} row
   * @param {number} column
   */
  const gainOf = (row, column) => {
    const [own, before] = [view.rows[row].means[column], view.rows[view.baseline]?.means[column]];
    return own === null || before === null || before === undefined || row === view.baseline
      ? null
      : own - before;
  };
  /**
   * All that a cell says, in words.
   * @param {number} row
   * @param {number} column
   */
  const wordsOf = (row, column) => {
    const { means, spreads, seeds, problems, reported } = view.rows[row];
    if (problems[column]) return problems[column];
    const papers = reported[column] && `, papers report ${reported[column]} %`;
    if (means[column] === null)
      return (view.now.join() === `${row},${column}` ? "under way" : "not measured") + papers;
    const spread = spreads[column] === null ? "" : ` ± ${percent(spreads[column])}`;
    const gain = gainOf(row, column);
    const beside =
      gain === null ? "" : `, ${points(gain).text} points against ${view.rows[view.baseline].title}`;
    const over = plural(seeds[column], "seed", "seeds");
    return `${percent(means[column])}${spread} % over ${over}${beside}${papers}`;
  };
  /**
   * @param {number} row
   * @param {number} column
   * @param {HTMLElement} node
   */
  const tipOf = (row, column, node) => {
    const box = node.getBoundingClientRect();
    const at = new PointerEvent("pointermove", { clientX: box.right, clientY: box.top + box.height / 2 });
    showTip(at, `${view.rows[row].title}, ${view.columns[column]}`, [[null, wordsOf(row, column), ""]]);
  };
  /**
   * @param {number} row
   * @param {number} column
   */
  const cellOf = (row, column) => {
    const show = () => tipOf(row, column, node);
    const events = { onpointerenter: show, onpointerleave: hideTip, onfocus: show, onblur: hideTip };
    const node =
      column >= view.shifts // a mean
        ? h("span", { tabindex: 0, role: "note", ...events })
        : h("button", { type: "button", onclick: () => unfold(row, column), ...events });
    return node;
  };
  /**
   * @param {HTMLElement} node
   * @param {number} row
   * @param {number} column
   */
  const fillCell = (node, row, column) => {
    const gain = gainOf(row, column);
    const { means, problems, reported } = view.rows[row];
    const place = /** @type {HTMLElement} */ (node.parentElement);
    const part = Math.round(STRONGEST * Math.min(1, Math.abs(gain ?? 0) / FULL));
    const now = view.now.join() === `${row},${column}`;
    place.className = [gain && (gain > 0 ? "above" : "below"), now && "now"].filter(Boolean).join(" ");
    place.style.setProperty("--part", `${part}%`);
    const papers = means[column] === null && reported[column];
    node.textContent = problems[column] ? "failed" : papers ? `(${papers})` : percent(means[column]);
    node.setAttribute(
      "aria-label",
      `${view.rows[row].title}, ${view.columns[column]}: ${wordsOf(row, column)}`,
    );
  };

  // ---- the card of a cell ----
  /**
   * @param {number} row
   * @param {number} column
   */
  const unfold = async (row, column) => {
    hideTip();
    try {
      /** @type {import("../wire.js").HeatCard | null} */
      const found = await server.card({ ...wanted(), row, column });
      if (!found) return complain(UNANSWERED);
      there = found.settings;
      const title = find(card, "h3");
      title.textContent = found.title;
      const pairs = found.lines.map(([what, value]) =>
        h("div", {}, h("dt", { text: what }), h("dd", { text: value })),
      );
      find(card, "dl").replaceChildren(...pairs);
      find(card, "code").textContent = found.command;
      card.hidden = false;
      card.dataset.cell = `${row},${column}`;
      title.focus();
    } catch {
      complain(UNANSWERED);
    }
  };
  const fold = () => {
    if (card.hidden) return;
    const [row, column] = (card.dataset.cell ?? "").split(",").map(Number);
    card.hidden = true;
    cells[row]?.[column]?.focus();
  };
  button.close.addEventListener("click", fold);
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") fold();
  });
  button.play.addEventListener("click", () => {
    choice.put(there);
    trigger("play");
  });

  // ---- the table ----
  const order = () => {
    const all = view.rows.map((_, row) => row);
    // What the others are compared with comes first.
    if (!sorted) return all.sort((a, b) => Number(b === view.baseline) - Number(a === view.baseline));
    const { column, way } = sorted;
    const worth = (/** @type {number} */ row) => view.rows[row].means[column] ?? -1;
    return all.sort((a, b) => (way === "descending" ? worth(b) - worth(a) : worth(a) - worth(b)));
  };
  const sort = (/** @type {number} */ column) => {
    const again = sorted?.column === column ? sorted.way : null;
    if (again === "ascending") sorted = null;
    else sorted = { column, way: again ? "ascending" : "descending" };
    fillTable();
  };
  const build = () => {
    const heads = view.columns.map((title, column) =>
      h("th", { scope: "col" }, h("button", { type: "button", text: title, onclick: () => sort(column) })),
    );
    head.replaceChildren(h("tr", {}, h("th", { scope: "col", text: "Method" }), ...heads));
    cells = view.rows.map((_, row) => view.columns.map((_, column) => cellOf(row, column)));
    lines = view.rows.map((one, row) =>
      h("tr", {}, h("th", { scope: "row", text: one.title }), ...cells[row].map((cell) => h("td", {}, cell))),
    );
    body.replaceChildren(...lines);
  };
  const fillTable = () => {
    const now = JSON.stringify([view.columns, view.rows.map((one) => one.title)]);
    if (now !== shape) {
      [shape, sorted] = [now, null];
      card.hidden = true;
      build();
    }
    [...head.querySelectorAll("th")].slice(1).forEach((th, column) => {
      if (sorted?.column === column) th.setAttribute("aria-sort", sorted.way);
      else th.removeAttribute("aria-sort");
    });
    cells.forEach((row, k) => row.forEach((cell, column) => fillCell(cell, k, column)));
    const wantedOrder = order().map((row) => lines[row]);
    if (wantedOrder.some((line, k) => body.rows[k] !== line)) {
      const focused = document.activeElement;
      body.append(...wantedOrder);
      if (focused instanceof HTMLElement && body.contains(focused)) focused.focus({ preventScroll: true });
    }
    const beside = view.rows[view.baseline]?.title;
    compared.textContent = beside
      ? `In percent. Colours compare with ${beside}; a column's title sorts by it.`
      : "In percent. A column's title sorts by it.";
  };

  // ---- all of it ----
  const draw = () => {
    const share = view.count ? view.done / view.count : 0;
    const whole = view.count > 0 && view.done === view.count;
    progress.hidden = !busy();
    find(progress, "i").style.width = `${100 * share}%`;
    progress.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    doing.textContent = view.doing || " ";
    find(advice, "ul").replaceChildren(...view.advice.map((text) => h("li", { text })));
    advice.hidden = !view.advice.length;
    complain(view.message);
    button.start.textContent = view.done && !whole ? "Go on" : "Start";
    button.start.disabled = busy() || whole || Boolean(needs());
    button.stop.disabled = !busy() || view.state === "stopping";
    for (const menu of [...Object.values(menus), ...Object.values(filters)]) menu.disabled = busy();
    const empty = !view.rows.some(({ means }) => means.some((mean) => mean !== null));
    for (const name of FILES) button[name].disabled = empty;
    fillTable();
  };
  const look = latest(
    wanted,
    (asked) => server.look(asked),
    (news) => {
      if (open) return;
      // What nothing is called leaves the table as it is, with the sentence that says so.
      view = news.state === "failed" ? { ...view, message: news.message ?? "" } : { ...NOTHING, ...news };
      draw();
    },
    () => complain(UNANSWERED),
    () => {},
  );
  const choose = () => {
    help.textContent = props.sizes.find((one) => one.name === menus.size.value)?.help ?? "";
    look();
  };
  menus.table.append(...props.tables.map((one) => h("option", { value: one.name, text: one.title })));
  menus.size.append(...props.sizes.map((one) => h("option", { value: one.name, text: one.title })));
  for (const name of /** @type {const} */ (["table", "size"])) menus[name].value = props[name];
  for (const menu of Object.values(menus)) menu.addEventListener("change", choose);
  for (const [name, filter] of Object.entries(filters)) {
    filter.addEventListener("input", () => look());
    const list = find(element, `#ct-heat-${name}`);
    list.append(...props[/** @type {"methods" | "shifts"} */ (name)].map((value) => h("option", { value })));
  }

  watch("value", () => {
    const news = props.value ?? NOTHING;
    const goesOn = STATES[news.state].busy;
    if (goesOn && !open) return;
    open = open && goesOn;
    view = { ...view, message: "", now: [], ...news };
    if (!goesOn) aloud.textContent = `${view.done} of ${view.count} cells measured. ${view.advice.join(" ")}`;
    draw();
  });
  button.start.addEventListener("click", () => {
    open = true;
    view = { ...view, state: "waiting", doing: "Starting", message: "" };
    draw();
    pressed = nextPress();
    trigger("start", { ...wanted(), press: pressed });
  });
  button.stop.addEventListener("click", () => {
    view = { ...view, state: "stopping" };
    draw();
    trigger("stop", { press: pressed });
  });
  for (const format of FILES) {
    button[format].addEventListener("click", async () => {
      const file = await server.keep({ ...wanted(), format }).catch(() => null);
      if (file) save(file.name, file.kind, bytesOf(file.data));
      else complain(UNANSWERED);
    });
  }
  if (props.value?.rows) view = { ...view, ...props.value };
  draw();
  choose();
}
