// @ts-check
// Methods that take part once more: a name and settings of their own.

import { h } from "../lib/dom.js";
import { format, plain } from "../lib/format.js";
import { swatch } from "../lib/marks.js";
import { knob } from "./controls.js";

/** @typedef {import("../wire.js").MethodCard} Card */
/** @typedef {import("../wire.js").Copy} Copy */
/** @typedef {import("./controls.js").Control} Control */

const LONGEST = 60; // characters of a name

/**
 * What is set of a method, where there is little room: "10 × 0.001" for ten steps of that size.
 * @param {Record<string, any>} values
 */
export const brief = (values) => {
  const { steps, lr, ...rest } = values;
  const isBoth = steps !== undefined && lr !== undefined;
  const first = isBoth ? [`${steps} × ${plain(lr)}`] : [];
  return [...first, ...worded(isBoth ? rest : values)].join(", ");
};

/**
 * Every setting by its name.
 * @param {Record<string, any>} values
 */
export const inFull = (values) => worded(values).join(", ");

/** @param {Record<string, any>} values */
const worded = (values) =>
  Object.entries(values).map(
    ([name, value]) => `${name} ${typeof value === "number" ? plain(value) : value}`,
  );

/**
 * A row for every copy, made anew when one comes or goes.
 * @param {Card[]} cards
 * @param {import("./methods.js").Form} form
 * @param {Record<string, number>} costs by label
 * @returns {Control}
 */
export const copyRows = (cards, form, costs) => {
  const node = h("div", { class: "copies" });
  let listed = "";
  /** @type {Control["show"][]} */
  let shows = [];

  /** @returns {Copy[]} */
  const copies = () => form.settings().copies ?? [];
  /**
   * @param {number} k of the copy
   * @param {(copy: Copy) => void} write
   */
  const change = (k, write) => {
    write(copies()[k]);
    form.changed();
  };
  /**
   * @param {Card} card
   * @param {number} k of the copy
   */
  const row = (card, k) => {
    const name = h("input", { type: "text", class: "label", maxlength: LONGEST });
    name.setAttribute("aria-label", `Name of this copy of ${card.title}`);
    name.addEventListener("change", () => change(k, (copy) => (copy.label = name.value)));
    const remove = h("button", { type: "button", class: "quiet", text: "Remove" });
    remove.addEventListener("click", () => {
      form.settings().copies = copies().filter((_, other) => other !== k);
      form.changed();
    });
    const set = h("span", { class: "brief" });
    const cost = h("span", { class: "cost" });
    const knobs = card.knobs.map((spec) => {
      const read = () => copies()[k]?.settings[spec.name] ?? spec.default;
      return knob(spec, card.name, read, (value) => change(k, (copy) => (copy.settings[spec.name] = value)));
    });
    const asItIs = h("input", { type: "checkbox" });
    asItIs.addEventListener("change", () =>
      change(k, (copy) => {
        if (asItIs.checked) copy.from_start = false;
        else delete copy.from_start;
      }),
    );
    const alone = h("label", { class: "tick" }, asItIs, h("span", { text: "begin with CLIP as it is" }));
    shows.push(...knobs.map((one) => one.show), (settings) => {
      const copy = copies()[k];
      asItIs.checked = copy.from_start === false;
      alone.hidden = settings.start === "none";
      if (document.activeElement !== name) name.value = copy.label;
      remove.setAttribute("aria-label", `Remove ${copy.label}`);
      summary.setAttribute("aria-label", `Settings of ${copy.label}`);
      set.textContent = brief(copy.settings);
      set.title = inFull(copy.settings);
      cost.textContent = format("times", costs[copy.label] ?? card.cost);
    });
    const presets = card.presets.map((preset) => {
      const onclick = () => change(k, (copy) => (copy.settings = structuredClone(preset.values)));
      return h("button", { type: "button", text: preset.title, onclick });
    });
    const choose =
      presets.length > 0 && h("div", { class: "presets" }, h("span", { text: "Presets:" }), ...presets);
    const summary = h("summary", {}, set, cost, h("i", { class: "gear", "aria-hidden": "true" }));
    const more = h(
      "details",
      { class: "more" },
      summary,
      alone,
      choose,
      ...knobs.map((one) => one.node),
      remove,
    );
    return h("div", { class: "method copy" }, h("div", { class: "named" }, swatch(card), name), more);
  };

  return {
    node,
    show: (settings) => {
      const now = copies().map((copy) => copy.method);
      if (now.join() !== listed) {
        listed = now.join();
        shows = [];
        node.replaceChildren(
          ...now.flatMap((method, k) => {
            const card = cards.find((one) => one.name === method);
            return card ? [row(card, k)] : [];
          }),
        );
      }
      for (const show of shows) show(settings);
    },
  };
};
