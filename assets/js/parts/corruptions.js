// @ts-check
// Nineteen corruptions and an attack as tiles, by family; a tile opens into its five severities. The pictures
// come from the server, a sheet or a ladder at a time; those seen lately are kept here.

import { find, h } from "../lib/dom.js";
import { latest } from "../lib/latest.js";
import { choice, subject, trouble, untouched } from "../lib/store.js";

/** @typedef {import("../wire.js").CorruptionTile} Corruption */

const KEPT = 40; // answers of the server
const SIDE = { width: 224, height: 224 };
const SEVERITIES = [1, 2, 3, 4, 5];
const UNANSWERED = "The server did not answer; please try again.";

/** @param {string} title within a sentence */
const lower = (title) => title.toLowerCase().replace("jpeg", "JPEG");

/** @param {import("../part.js").Part<"corruptions">} part */
export default function mount({ element, props, trigger, server }) {
  const host = find(element, ".sheet");
  const aloud = find(element, ".unseen");
  /** @type {Map<string, any>} */
  const kept = new Map();
  /** @typedef {{image: HTMLImageElement, button: HTMLElement, node: HTMLElement}} Drawn */
  /** @type {Map<string, Drawn & {corruption: Corruption}>} */
  const tiles = new Map();
  /** @type {Record<string, any>} */
  let shown = {};
  /** @type {Corruption | null} */
  let open = null;
  let level = 0;
  let clean = "";

  const name = () => shown.title || "picture";
  const which = () => (shown.key ? { key: shown.key } : { object: shown.object, seed: shown.seed });
  /**
   * @param {"sheet" | "ladder"} kind
   * @param {unknown} wanted
   */
  const get = async (kind, wanted) => {
    const key = JSON.stringify([kind, wanted]);
    if (!kept.has(key)) {
      const reply = await server[kind](wanted);
      if (reply.problem) throw new Error(reply.problem);
      kept.set(key, reply);
      if (kept.size > KEPT) kept.delete([...kept.keys()][0]);
    }
    return kept.get(key);
  };
  /** @param {unknown} error */
  const fail = (error) => trouble.put(error instanceof Error && error.message ? error.message : UNANSWERED);
  const rest = () => host.removeAttribute("aria-busy");

  // ---- one corruption at five severities, right below the row of its tile ----
  const asItIs = h("img", { alt: "", ...SIDE });
  const steps = SEVERITIES.map((severity) => {
    const image = h("img", { alt: "", ...SIDE });
    const onclick = () => {
      level = severity;
      mark();
    };
    const words = h("span", { "aria-hidden": "true", text: severity });
    const button = h(
      "button",
      { type: "button", class: "step", "data-severity": severity, onclick },
      image,
      words,
    );
    return { severity, image, button };
  });
  const first = h("div", { class: "step" }, asItIs, h("span", { "aria-hidden": "true", text: "as it is" }));
  const heading = h("h4");
  const meaning = h("p", { class: "help" });
  const take = h("button", { type: "button", class: "strong" });
  const close = h("button", { type: "button", class: "close", "aria-label": "Close", text: "×" });
  const inside = h(
    "div",
    { class: "inside", role: "group", "aria-label": "Five severities" },
    h("div", { class: "top" }, h("div", {}, heading, meaning), close),
    h("div", { class: "steps" }, first, ...steps.map((one) => one.button)),
    h("div", { class: "bottom" }, take),
  );
  const ladder = h("li", { class: "ladder", id: "ct-ladder" }, inside);

  const mark = () => {
    if (!open) return;
    for (const one of steps) one.button.setAttribute("aria-pressed", String(one.severity === level));
    take.textContent = `Take ${lower(open.title)}, severity ${level}, to Play`;
  };
  const climb = latest(
    () => open && { ...which(), corruption: open.name },
    (wanted) => get("ladder", wanted),
    (reply) => {
      if (!open) return;
      asItIs.src = clean;
      asItIs.alt = `${name()}, as it is`;
      steps.forEach(({ image, severity }, k) => {
        image.src = reply.tiles[k];
        image.alt = `${name()}, ${open?.title}, severity ${severity}`;
      });
      ladder.classList.add("ready");
      aloud.textContent = `${open.title}: five severities below.`;
      trouble.put("");
    },
    fail,
    rest,
  );
  /** @param {Corruption | null} corruption */
  const unfold = (corruption) => {
    if (open) tiles.get(open.name)?.button.setAttribute("aria-expanded", "false");
    open = open === corruption ? null : corruption;
    const tile = open && tiles.get(open.name);
    if (!open || !tile) return ladder.remove();
    level = shown.severity;
    tile.button.setAttribute("aria-expanded", "true");
    heading.textContent = open.title;
    meaning.textContent = open.meaning;
    for (const image of [asItIs, ...steps.map((one) => one.image)]) image.removeAttribute("src");
    ladder.classList.remove("ready");
    tile.node.after(ladder);
    mark();
    climb();
  };
  const fold = () => {
    if (!open) return;
    const button = tiles.get(open.name)?.button;
    unfold(open);
    button?.focus();
  };
  close.addEventListener("click", fold);
  host.addEventListener("keydown", (event) => {
    if (event.key === "Escape") fold();
  });
  take.addEventListener("click", () => {
    if (!open) return;
    // One corruption all along: the other schedules would mix it with what was not asked for.
    choice.put({ ...open.takes[level - 1], schedule: "constant", lesson: "" });
    trigger("take");
  });

  // ---- all nineteen ----
  /** @param {Corruption} corruption */
  const tileOf = (corruption) => {
    const id = `ct-means-${corruption.name}`;
    const image = h("img", { alt: corruption.title, ...SIDE });
    const button = h(
      "button",
      { type: "button", "aria-expanded": "false", "aria-describedby": id, onclick: () => unfold(corruption) },
      image,
      h("span", { class: "called", "aria-hidden": "true", text: corruption.title }),
    );
    const node = h(
      "li",
      { class: "tile", "data-name": corruption.name },
      button,
      corruption.extra && h("span", { class: "extra", text: "extra" }),
      h("p", { class: "help", id, text: corruption.meaning }),
    );
    tiles.set(corruption.name, { corruption, image, button, node });
    return node;
  };
  for (const family of props.families) {
    const title = h("h3", { text: family.title }, h("span", { text: family.meaning }));
    const list = h("ul", {}, ...family.corruptions.map(tileOf));
    host.append(h("section", { "data-family": family.name }, title, list));
  }

  const look = latest(
    () => ({ ...which(), severity: shown.severity }),
    (wanted) => get("sheet", wanted),
    (reply, wanted) => {
      for (const { corruption, image, node } of tiles.values()) {
        node.hidden = !(corruption.name in reply.tiles); // an attack needs the class of the picture
        if (node.hidden) {
          if (open === corruption) unfold(corruption);
          continue;
        }
        image.src = reply.tiles[corruption.name];
        image.alt = `${name()}, ${corruption.title}, severity ${wanted.severity}`;
      }
      clean = reply.clean;
      host.dataset.severity = wanted.severity;
      aloud.textContent = `All nineteen at severity ${wanted.severity}.`;
      untouched.put({ source: clean, title: name() });
      trouble.put("");
      if (open) climb();
    },
    fail,
    rest,
  );
  subject.follow(element, (news) => {
    shown = news;
    if (open) {
      level = shown.severity;
      mark();
    }
    host.setAttribute("aria-busy", "true");
    look();
  });
}
