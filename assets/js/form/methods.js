// @ts-check
// The methods of the form: a tick each, their knobs behind "settings", and what they cost together.

import { find, h } from "../lib/dom.js";
import { format } from "../lib/format.js";
import { onceStill } from "../lib/latest.js";
import { swatch } from "../lib/marks.js";
import { explain } from "../lib/terms.js";
import { knob } from "./controls.js";
import { brief, copyRows, inFull } from "./copies.js";

/** @typedef {import("../wire.js").MethodCard} Card */
/** @typedef {import("./controls.js").Settings} Settings */
/** @typedef {import("./controls.js").Control} Control */
/**
 * @typedef {object} Form
 * @property {() => Settings} settings
 * @property {() => void} changed to be called after the settings have been
 * @property {() => void} refresh shows the settings again
 */

const STILL = 150; // milliseconds without a change before the costs are asked for again

/**
 * Links to a method's paper and to its file.
 * @param {Card} card
 */
const readOn = (card) =>
  Object.entries({ paper: card.paper, code: card.code })
    .filter(([, href]) => href)
    .flatMap(([text, href]) => [" · ", h("a", { href, target: "_blank", rel: "noopener", text })]);

/**
 * @param {Card[]} cards
 * @param {number} most methods that run at once
 * @param {Form} form
 * @param {(settings: Settings) => Promise<Record<string, number>>} price
 * @returns {{nodes: HTMLElement[], show: (settings: Settings) => void}}
 */
export const methods = (cards, most, form, price) => {
  /** Knobs of methods that are not chosen now. @type {Record<string, Record<string, any>>} */
  const kept = {};
  const costs = Object.fromEntries(cards.map((card) => [card.name, card.cost]));
  const total = h("p", { class: "help total", "aria-live": "polite" });
  /** @type {Control["show"][]} */
  const shows = [];

  const chosen = () => form.settings().methods;
  /** @returns {import("../wire.js").Copy[]} */
  const copies = () => form.settings().copies ?? [];
  const names = () => [...Object.keys(chosen()), ...copies().map((copy) => copy.label)];
  let full = ""; // what was chosen when one more was refused, which is said until something else is
  const isFull = () => Object.keys(chosen()).length + copies().length >= most;
  /** @param {string} [name] of a method; none for one more copy */
  const refused = (name) => {
    if ((name !== undefined && name in chosen()) || !isFull()) return false;
    full = names().join("\n");
    total.classList.add("full");
    const instead = "take one out first, or let the Compare tab run all of them in turns";
    total.textContent = `At most ${most} methods run at once: ${instead}.`;
    return true;
  };
  const ask = onceStill(
    STILL,
    () => price(form.settings()),
    (found) => {
      Object.assign(costs, found);
      form.refresh();
    },
  );

  /** @param {Card} card */
  const addCopy = (card) => {
    if (refused()) return;
    const taken = new Set(copies().map((copy) => copy.label));
    let number = 2;
    while (taken.has(`${card.title} (${number})`)) number += 1;
    const own = structuredClone(chosen()[card.name] ?? kept[card.name] ?? {});
    const copy = { label: `${card.title} (${number})`, method: card.name, settings: own };
    form.settings().copies = [...copies(), copy];
    form.changed();
  };
  /**
   * @param {Card} card
   * @param {import("../wire.js").Field} spec
   */
  const knobOf = (card, spec) => {
    const read = () => (chosen()[card.name] ?? kept[card.name] ?? {})[spec.name] ?? spec.default;
    return knob(spec, card.name, read, (value) => {
      const target = chosen()[card.name] ?? (kept[card.name] ??= {});
      target[spec.name] = value;
      form.changed();
    });
  };
  /** @param {Card} card */
  const presets = (card) => {
    const buttons = card.presets.map((preset) => {
      const onclick = () => {
        if (refused(card.name)) return;
        chosen()[card.name] = structuredClone(preset.values);
        form.changed();
      };
      return h("button", { type: "button", text: preset.title, onclick });
    });
    return buttons.length > 0 && h("div", { class: "presets" }, h("span", { text: "Presets:" }), ...buttons);
  };
  /** @param {Card} card */
  const copyOf = (card) => {
    const said = { "aria-label": `Add a copy of ${card.title}`, text: "Add a copy" };
    const onclick = () => addCopy(card);
    const what = h("span", { text: "with a name and settings of its own" });
    return h("div", { class: "presets" }, h("button", { type: "button", ...said, onclick }), what);
  };
  /**
   * What is behind the line of a method, made when somebody looks: of all methods it is more than the rest of
   * the page.
   * @param {Card} card
   */
  const about = (card) => {
    const costly = h("p", { class: "help" });
    const knobs = card.knobs.map((spec) => knobOf(card, spec));
    const show = (/** @type {Settings} */ settings) => {
      const texts = card.texts ? ", and encodes texts besides" : "";
      const times = format("times", costs[card.name]);
      costly.textContent = `Takes about ${times} the work of zero-shot CLIP${texts}.`;
      for (const one of knobs) one.show(settings);
    };
    shows.push(show);
    show(form.settings());
    return [
      h("p", { class: "about", text: card.summary }),
      costly,
      presets(card) || "",
      card.name === "zero_shot" ? "" : copyOf(card),
      ...knobs.map((one) => one.node),
      h("p", { class: "cite" }, h("span", { text: card.citation }), ...readOn(card)),
    ];
  };
  /** @param {Card} card */
  const row = (card) => {
    const input = h("input", { type: "checkbox", value: card.name });
    input.addEventListener("change", () => {
      if (input.checked && refused(card.name)) {
        input.checked = false;
        return;
      }
      if (input.checked) chosen()[card.name] = kept[card.name] ?? {};
      else {
        kept[card.name] = chosen()[card.name];
        delete chosen()[card.name];
      }
      form.changed();
    });
    const set = h("span", { class: "brief" });
    const cost = h("span", { class: "cost" });
    shows.push((settings) => {
      cost.textContent = format("times", costs[card.name]);
      input.checked = card.name in settings.methods;
      set.textContent = brief(settings.methods[card.name] ?? {});
      set.title = inFull(settings.methods[card.name] ?? {});
    });
    const called = { "aria-label": `About and settings of ${card.title}` };
    const more = h(
      "details",
      { class: "more" },
      h("summary", called, set, cost, h("i", { class: "gear", "aria-hidden": "true" })),
    );
    const fill = () => {
      more.append(...about(card));
      explain(more);
    };
    more.addEventListener("toggle", fill, { once: true });
    const tick = h("label", { class: "tick" }, input, swatch(card), h("span", { text: card.title }));
    return h("div", { class: "method", "data-method": card.name }, tick, more);
  };

  /**
   * Behind one line, by family, with a search.
   * @param {Card[]} cards
   */
  const others = (cards) => {
    const line = h("summary");
    const search = h("input", { type: "text", placeholder: "Search", "aria-label": "Search methods" });
    const names = [...new Set(cards.map((card) => card.family))];
    const families = names.map((family) => {
      const own = cards.filter((card) => card.family === family);
      return h("div", { class: "family" }, h("div", { class: "title", text: family }), ...own.map(row));
    });
    const box = h("details", { class: "others" }, line, search, ...families);
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      for (const card of cards) {
        const words = [card.name, card.title, card.family, card.summary];
        const fits = words.some((text) => text.toLowerCase().includes(wanted));
        find(box, `[data-method="${card.name}"]`).hidden = !fits;
      }
      for (const family of families) family.hidden = !family.querySelector("[data-method]:not([hidden])");
    });
    shows.push((settings) => {
      const count = cards.filter((card) => card.name in settings.methods).length;
      line.textContent = `${cards.length} more methods${count ? `, ${count} chosen` : ""}`;
    });
    return box;
  };

  const rest = cards.filter((card) => !card.front);
  const again = copyRows(cards, form, costs);
  shows.push(again.show);
  const nodes = [
    ...cards.filter((card) => card.front).map(row),
    again.node,
    ...(rest.length ? [others(rest)] : []),
    total,
  ];
  return {
    nodes,
    show: (settings) => {
      for (const show of shows) show(settings);
      const all = names();
      if (all.join("\n") !== full) {
        full = "";
        const sum = all.reduce((one, name) => one + (costs[name] ?? 0), 0);
        total.classList.remove("full");
        const work = `together about ${format("times", sum)} the work of zero-shot`;
        total.textContent = `${all.length} of at most ${most} methods, ${work}.`;
      }
      ask(JSON.stringify([settings.methods, copies(), settings.batch_size, settings.batches]));
    },
  };
};
