// @ts-check
// The table of results.

import { numbers } from "../lib/decode.js";
import { find, h } from "../lib/dom.js";
import { format } from "../lib/format.js";
import { gain, swatch } from "../lib/marks.js";
import { at, step, view } from "../lib/store.js";
import { explain } from "../lib/terms.js";

/** @typedef {import("../wire.js").Results} Results */
/** @typedef {import("../wire.js").Measure} Measure */

/**
 * The best of some numbers as it is written, so that those that read alike are as good; null where none is
 * better than another, or where it says nothing.
 * @param {Measure} column
 * @param {number[]} values
 */
const bestOf = (column, values) => {
  const all = values.filter(Number.isFinite);
  if (!column.better || column.kind === "seconds") return null;
  if (new Set(all.map((value) => format(column.kind, value))).size < 2) return null;
  return format(column.kind, column.better === "high" ? Math.max(...all) : Math.min(...all));
};

/**
 * The titles, unless they stand there: a term that is being looked at stays.
 * @param {HTMLTableSectionElement} head
 * @param {Measure[]} columns
 */
const drawHead = (head, columns) => {
  const names = columns.map((column) => column.name).join();
  if (head.dataset.columns === names) return;
  head.dataset.columns = names;
  const titles = columns.map((column) => h("th", { scope: "col", title: column.help, text: column.title }));
  head.replaceChildren(h("tr", {}, h("th", { scope: "col", text: "Method" }), ...titles));
  explain(head);
};

/**
 * @param {HTMLTableElement} table
 * @param {Results} view
 */
const draw = (table, view) => {
  const { methods, columns } = view;
  const first = methods.map((method) => numbers(view.values[columns[0]?.name]?.[method.name]).length);
  const shown = at(Math.max(0, ...first));
  const unadapted = methods.findIndex((method) => method.name === "zero_shot");
  /** @type {HTMLTableCellElement[][]} */
  const cells = columns.map((column) => {
    const values = methods.map((method) => numbers(view.values[column.name][method.name])[shown]);
    const best = bestOf(column, values);
    return values.map((value, row) => {
      // Zero-shot CLIP is what changes are counted from.
      if (row === unadapted && (column.kind === "count" || column.name === "changed")) return h("td");
      const text = format(column.kind, value);
      const cell = h("td", { class: text === best ? "best" : null, text });
      const compared = column.name === "accuracy" && unadapted >= 0 && row !== unadapted;
      if (compared && Number.isFinite(value)) cell.append(gain(values[unadapted], value));
      return cell;
    });
  });
  drawHead(find(table, "thead", HTMLTableSectionElement), columns);
  find(table, "tbody", HTMLTableSectionElement).replaceChildren(
    ...methods.map((method, row) =>
      h(
        "tr",
        { "data-name": method.name },
        h("th", { scope: "row" }, swatch(method), h("span", { text: method.title })),
        ...cells.map((column) => column[row]),
      ),
    ),
  );
};

/** @param {import("../part.js").Part<"results">} part */
export default function mount({ element }) {
  const table = find(element, "table", HTMLTableElement);
  /** @type {Results} */
  let news = { methods: [], columns: [], values: {} };
  step.follow(element, () => draw(table, news));
  view("results").follow(element, (now) => draw(table, (news = now)));
}
