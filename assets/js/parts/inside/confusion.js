// @ts-check
/** Two confusion matrices, a row a true class: by zero-shot CLIP and by the contender. */

import { find, onWidth, s } from "../../lib/dom.js";
import { plural, shorten } from "../../lib/format.js";
import { onHover, hideTip, showTip } from "../../lib/tip.js";

/** @typedef {import("./scene.js").Scene} Scene */

const NAMED = 30; // classes, at most, whose names stand at the matrix
const COUNTED = 22; // pixels of a cell that its count fits into
const LARGEST = 34;
const NAMES = 92; // pixels for names
const SLANT = 34; // pixels that the slanted name of the last column reaches over the matrix
const OFTEN = 3; // mistakes that are listed

/** @param {HTMLElement} figure */
export const confusion = (figure) => {
  const sides = /** @type {const} */ (["before", "after"]).map((side) => {
    const section = find(figure, `[data-side=${side}]`);
    return {
      side,
      title: find(section, "h4"),
      svg: find(section, "svg", SVGSVGElement),
      often: find(section, ".often"),
    };
  });
  const help = find(figure, ".help");
  let width = 0;
  /** @type {Scene | null} */
  let scene = null;

  /** @param {Map<number, number>} row */
  const sum = (row) => [...row.values()].reduce((all, count) => all + count, 0);

  /** @param {typeof sides[number]} part @param {Scene} now */
  const drawSide = ({ side, title, svg, often }, { known }) => {
    const { classes, confusion: table, methods } = known.run;
    const rows = known.confusion[side];
    const order = table?.classes ?? [];
    const name = (/** @type {number} */ k) => classes[order[k]];
    const named = order.length <= NAMED;
    const left = named ? Math.min(NAMES, width / 3.4) : 14;
    const room = width - left - (named ? SLANT : 2);
    const cell = Math.min(LARGEST, room / Math.max(1, order.length));
    const top = named ? Math.min(left, 70) : 14;
    const size = cell * order.length;
    const who = side === "before" ? (known.frozen ?? methods[0]) : known.method;
    const right = rows.reduce((all, row, k) => all + (row.get(k) ?? 0), 0);
    const total = rows.reduce((all, row) => all + sum(row), 0);
    title.textContent = `${who.title}: ${right} of ${total} right`;
    svg.setAttribute("viewBox", `0 0 ${width} ${top + size + 2}`);
    svg.style.height = `${top + size + 2}px`;
    svg.replaceChildren(s("rect", { class: "paper", x: left, y: top, width: size, height: size }));
    rows.forEach((row, k) => {
      const all = sum(row);
      for (const [column, count] of row) {
        const share = count / all;
        const attributes = { x: left + column * cell, y: top + k * cell, width: cell, height: cell };
        const opacity = (0.12 + 0.88 * share).toFixed(3);
        const kind = column === k ? "right" : "wrong";
        svg.append(
          s("rect", {
            ...attributes,
            class: kind,
            opacity,
            "data-cell": `${k}:${column}`,
            "data-count": count,
          }),
        );
        if (cell < COUNTED) continue;
        const [x, y] = [attributes.x + cell / 2, attributes.y + cell / 2 + 4];
        svg.append(
          s("text", {
            class: share > 0.5 ? "count strong" : "count",
            x,
            y,
            "text-anchor": "middle",
            text: count,
          }),
        );
      }
    });
    if (named) {
      order.forEach((_, k) => {
        const middle = (k + 0.5) * cell;
        const text = { class: "name", text: shorten(name(k), left - 8) };
        svg.append(s("text", { ...text, x: left - 6, y: top + middle + 4, "text-anchor": "end" }));
        const turned = `translate(${left + middle + 3} ${top - 5}) rotate(-55)`;
        svg.append(s("text", { ...text, transform: turned, text: shorten(name(k), top + 8) }));
      });
    } else {
      svg.append(
        s("text", { x: left, y: 10, text: "answer →" }),
        s("text", { transform: `translate(10 ${top + 42}) rotate(-90)`, text: "← truth" }),
      );
    }
    const mistakes = rows.flatMap((row, k) =>
      [...row].filter(([column]) => column !== k).map(([column, count]) => ({ k, column, count })),
    );
    mistakes.sort((a, b) => b.count - a.count);
    const list = mistakes
      .slice(0, OFTEN)
      .map(({ k, column, count }) => `${name(k)} taken for ${name(column)} (${count})`);
    often.textContent = list.length ? `Most often: ${list.join(", ")}.` : "No mistake.";
    svg.setAttribute("aria-label", `Confusion of ${title.textContent}. ${often.textContent}`);

    return (/** @type {PointerEvent} */ event) => {
      const box = svg.getBoundingClientRect();
      const unit = width / box.width;
      const column = Math.floor(((event.clientX - box.left) * unit - left) / cell);
      const k = Math.floor(((event.clientY - box.top) * unit - top) / cell);
      if (!rows[k] || column < 0 || column >= order.length) return hideTip();
      const count = rows[k].get(column) ?? 0;
      const share = Math.round((100 * count) / Math.max(1, sum(rows[k])));
      showTip(event, `Really ${name(k)}`, [[null, `answered ${name(column)}`, `${count} (${share}%)`]]);
    };
  };
  /** @type {((event: PointerEvent) => void)[]} */
  let hovers = [];
  sides.forEach(({ svg }, k) => onHover(svg, (event) => hovers[k]?.(event)));

  const redraw = () => {
    const table = scene?.known.run.confusion;
    figure.hidden = !table;
    if (!scene || !table) return;
    width = sides[0].svg.clientWidth || width;
    if (!width) return;
    const now = scene;
    hovers = sides.map((side) => drawSide(side, now));
    help.textContent =
      "A row is a true class, a column an answer; the darker, the larger its share of the row." +
      (table.left_out ? ` ${plural(table.left_out, "picture", "pictures")} of rarer classes left out.` : "");
  };
  onWidth(figure, redraw);
  return {
    /** @param {Scene} now */
    draw: (now) => {
      if (scene?.known === now.known) return;
      scene = now;
      redraw();
    },
  };
};
