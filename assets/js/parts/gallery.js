// @ts-check
// The batch being looked at: each image with its prediction before and after.

import { numbers } from "../lib/decode.js";
import { find, h } from "../lib/dom.js";
import { bytesOf } from "../lib/files.js";
import { swatch } from "../lib/marks.js";
import { enter, roving } from "../lib/roving.js";
import { looks, step, view } from "../lib/store.js";
import { onHover, showTip } from "../lib/tip.js";

/** @typedef {import("../wire.js").Gallery & {address?: string}} Gallery address: of the sheet, once known */
/** @typedef {import("../wire.js").Contender} Contender */

const KEPT = 40; // batches that need not be asked for again
const RESTED = 80; // milliseconds at a batch before it is asked for
const PATIENCE = 3000; // milliseconds

/**
 * @typedef {object} Tile
 * @property {number} index
 * @property {number} label -1 where there is none
 * @property {boolean} unknown
 * @property {number} before
 * @property {number} after
 * @property {number} sure in percent
 * @property {boolean} accepted
 * @property {boolean} judged whether there is a label
 * @property {boolean} wasRight
 * @property {boolean} isRight
 */

/** @type {Record<string, (tile: Tile) => boolean>} */
const FILTERS = {
  all: () => true,
  changed: (tile) => tile.before !== tile.after,
  gained: (tile) => !tile.wasRight && tile.isRight,
  lost: (tile) => tile.wasRight && !tile.isRight,
};

/**
 * @param {Gallery} view
 * @param {string} method
 * @returns {Tile[]}
 */
const tilesOf = (view, method) => {
  const labels = numbers(view.labels);
  const unknown = numbers(view.unknown);
  const before = numbers(view.answers.zero_shot);
  const after = numbers(view.answers[method]);
  const sure = numbers(view.sure[method]);
  const accepted = numbers(view.accepted[method]);
  return before.map((_, index) => {
    const label = labels[index];
    return {
      index,
      label,
      unknown: unknown[index] === 1,
      before: before[index],
      after: after[index],
      sure: sure[index],
      accepted: accepted[index] === 1,
      judged: label >= 0,
      wasRight: label >= 0 && label === before[index],
      isRight: label >= 0 && label === after[index],
    };
  });
};

/**
 * @param {Gallery} view
 * @param {number} index
 */
const word = (view, index) => (index >= 0 ? view.classes[index] : "unknown");

/**
 * What there is to say of an image, for the tip and for those who do not see it.
 * @param {Gallery} view
 * @param {Tile} tile
 * @param {Contender} method
 * @returns {[Contender | null, string, string][]}
 */
const describe = (view, tile, method) => {
  const applied = view.applied[tile.index];
  const really = tile.judged ? word(view, tile.label) : tile.unknown ? "outside the class list" : null;
  return [
    .../** @type {[null, string, string][]} */ (really ? [[null, "really", really]] : []),
    [null, "zero-shot CLIP", word(view, tile.before)],
    [method, method.title, `${word(view, tile.after)}, ${tile.sure}% sure`],
    .../** @type {[null, string, string][]} */ (
      applied ? [[null, "applied", applied.replaceAll("_", " ")]] : []
    ),
  ];
};

/**
 * How a tile is framed.
 * @param {Tile} tile
 */
const kindOf = ({ judged, wasRight, isRight }) => {
  if (!judged) return "open";
  if (isRight) return wasRight ? "right" : "gained";
  return wasRight ? "lost" : "wrong";
};

/**
 * @param {number} place
 * @param {number} count
 */
const percent = (place, count) => `${count > 1 ? (100 * place) / (count - 1) : 0}%`;

/**
 * A short address for the sheet: every tile names it, and the browser reads a long one again for each.
 * @param {Gallery} view
 */
const addressOf = (view) =>
  (view.address ??= URL.createObjectURL(
    new Blob([bytesOf(view.sprite.split(",")[1] ?? "")], { type: "image/jpeg" }),
  ));

/**
 * @param {Gallery} view
 * @param {Tile} tile
 * @param {Contender} method
 * @param {boolean} gated whether to say which images count as known
 */
const picture = (view, tile, method, gated) => {
  const { columns } = view;
  const rows = Math.ceil(view.names.length / columns);
  const said = describe(view, tile, method);
  const label = said.map(([, who, what]) => `${who}: ${what}`).join("; ");
  const image = h("span", { class: "pic" });
  if (view.sprite) image.style.backgroundImage = `url("${addressOf(view)}")`;
  image.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
  const [column, row] = [tile.index % columns, Math.floor(tile.index / columns)];
  image.style.backgroundPosition = `${percent(column, columns)} ${percent(row, rows)}`;
  const sign = { class: "sign", "aria-hidden": "true", text: tile.isRight ? "✓" : "✕" };
  const gate = { class: "gate", "aria-hidden": "true", text: tile.accepted ? "in" : "out" };
  const changed = tile.before !== tile.after;
  const out = h(
    "li",
    { class: `${kindOf(tile)}${tile.unknown ? " stranger" : ""}`, "data-index": tile.index },
    h(
      "button",
      { class: "frame", type: "button", "aria-label": label },
      image,
      tile.judged && h("span", sign),
      gated && h("span", gate),
    ),
    h("span", { class: "is", text: word(view, tile.after) }),
    h("span", { class: "was", text: changed ? word(view, tile.before) : "" }),
  );
  onHover(out, (event) => showTip(event, view.names[tile.index] || `Image ${tile.index + 1}`, said));
  return out;
};

/**
 * Those whose predictions can be looked at.
 * @param {Gallery} view
 */
const listOf = ({ methods }) => {
  const adapted = methods.filter((one) => one.name !== "zero_shot");
  return adapted.length ? adapted : methods;
};

/**
 * @param {Gallery} view
 * @param {Contender} method
 */
const titleOf = ({ step, work, after }, { name, title }) =>
  `Batch ${step}: predictions of ${title}${after && name === work ? ` after ${after}` : ""}`;

/**
 * A selector of the tile that has the focus, "" where none has.
 * @param {HTMLElement} grid
 */
const focusedIn = (grid) => {
  const tile = grid.contains(document.activeElement) && document.activeElement?.closest("li");
  return tile ? `li[data-index="${tile.dataset.index}"] button` : "";
};

/**
 * What the signs mean.
 * @param {boolean} pictured whether the pictures are there
 * @param {boolean} judged whether there are labels
 * @param {boolean} gated whether it is said which images count as known
 */
const legend = (pictured, judged, gated) =>
  [
    !pictured && "The pictures of this batch are not kept.",
    !judged && "No labels, so no marks.",
    "Struck through: the prediction of zero-shot CLIP, where it was another.",
    gated && "In or out: whether its score passes the threshold; in italics, pictures of no class.",
  ]
    .filter(Boolean)
    .join(" ");

/** @param {import("../part.js").Part<"gallery">} part */
export default function mount({ element, trigger }) {
  const figure = find(element, "figure");
  const title = find(element, "h3");
  const help = find(element, ".help");
  const grid = find(element, "ul");
  const choose = find(element, ".choose");
  const filter = find(element, ".filter");
  /** Batches of this run that passed by, for the timeline. @type {Map<number, Gallery>} */
  const seen = new Map();
  /** @type {Gallery | null} */
  let latest = null;
  /** @type {string | null} */
  let chosen = null;
  let drawn = 0; // the batch whose pictures stand there
  let left = ""; // the method at work that the reader has turned from
  let kept = "all";
  roving(element, "ul button", (button) => {
    const index = Number(button.closest("li")?.dataset.index);
    trigger("open", { batch: drawn, index });
  });

  /**
   * @param {HTMLElement} host
   * @param {[string, ...Node[]][]} entries
   * @param {string} active
   * @param {(name: string) => void} pick
   */
  const buttons = (host, entries, active, pick) => {
    const made = entries.map(([name, ...content]) => {
      const pressed = String(name === active);
      const onclick = () => {
        pick(name);
        draw();
      };
      return h("button", { type: "button", "data-name": name, "aria-pressed": pressed, onclick }, ...content);
    });
    host.replaceChildren(...made);
  };

  /** Batches that the server has been asked for. @type {Set<number>} */
  const asked = new Set();
  let rest = 0;
  /** Ask for the batch that the reader looks at, unless it is here or on its way. */
  const fetch = () => {
    clearTimeout(rest);
    const wanted = step.value;
    if (wanted === null || seen.has(wanted + 1) || asked.has(wanted + 1)) return;
    rest = setTimeout(() => {
      asked.add(wanted + 1);
      trigger("look", { step: wanted });
    }, RESTED);
  };

  const draw = () => {
    // Until a batch of the past is here, what stands there stays: the newest would flash by on the way.
    const past = step.value !== null && (seen.get(step.value + 1) ?? seen.get(drawn));
    const shown = past || latest;
    figure.hidden = !shown;
    if (!shown) return;
    fetch();
    const list = listOf(shown);
    const wanted = shown.work && shown.work !== left ? shown.work : chosen;
    const method = list.find((one) => one.name === wanted) ?? list[list.length - 1];
    const all = tilesOf(shown, method.name);
    const judged = all.some((tile) => tile.judged);
    const gated = all.some((tile) => tile.unknown) && method.name in shown.accepted;
    const names = judged ? ["all", "changed", "gained", "lost"] : ["all", "changed"];
    if (!names.includes(kept)) kept = "all";
    figure.toggleAttribute("data-under-way", Boolean(shown.work));
    title.textContent = titleOf(shown, method);
    help.textContent = legend(Boolean(shown.sprite), judged, gated);
    buttons(
      choose,
      list.map((one) => [one.name, swatch(one), h("span", { text: one.title })]),
      method.name,
      (name) => {
        chosen = name;
        left = shown.work ?? "";
      },
    );
    buttons(
      filter,
      names.map((name) => [name, h("span", { text: `${name} ${all.filter(FILTERS[name]).length}` })]),
      kept,
      (name) => {
        kept = name;
      },
    );
    const some = all.filter(FILTERS[kept]).map((tile) => picture(shown, tile, method, gated));
    const focused = focusedIn(grid);
    drawn = shown.step;
    grid.replaceChildren(...(some.length ? some : [h("li", { class: "none", text: "None in this batch." })]));
    enter(element, "ul button", focused);
  };

  // Its many tiles are a quarter of all drawing: off the screen it waits until it comes there, or until no
  // more batches come.
  let onScreen = true;
  let timer = 0;
  const drawWhenSeen = () => {
    clearTimeout(timer);
    if (onScreen) draw();
    else timer = setTimeout(draw, PATIENCE);
  };
  new IntersectionObserver((changes) => {
    onScreen = changes[changes.length - 1].isIntersecting;
    if (onScreen) drawWhenSeen();
  }).observe(element);

  /** @param {number} batch */
  const forget = (batch) => {
    asked.delete(batch);
    const address = seen.get(batch)?.address;
    if (address) URL.revokeObjectURL(address);
    seen.delete(batch);
  };
  view("gallery").follow(element, (/** @type {Gallery | null} */ news) => {
    if (!news) return;
    if (news.run !== latest?.run) {
      [...seen.keys(), ...asked].forEach(forget);
      latest = null;
    }
    // Of a batch that was under way, the whole may have been skipped: it is asked for again.
    for (const [batch, one] of seen) if (one.work || batch === news.step) forget(batch);
    seen.set(news.step, { ...news });
    if (!latest || news.step >= latest.step) latest = seen.get(news.step) ?? null;
    for (const batch of seen.keys()) if (seen.size > KEPT && batch !== latest?.step) forget(batch);
    drawWhenSeen();
  });
  step.follow(element, drawWhenSeen);
  looks.follow(element, ({ method, pictures }) => {
    [chosen, kept] = [method, pictures];
    drawWhenSeen();
  });
}
