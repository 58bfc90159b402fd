// @ts-check
// The settings of a run, built from tables the server sends. Every value is checked again on the server.

import { field } from "../form/controls.js";
import { methods } from "../form/methods.js";
import { find, h, isNarrow } from "../lib/dom.js";
import { onceStill } from "../lib/latest.js";
import * as store from "../lib/store.js";
import { explain } from "../lib/terms.js";
import { STATES } from "../wire.js";

const STILL = 120; // milliseconds without a change before the preview is made again
// What the preview depends on.
const SEEN = ["source", "style", "corruption", "severity", "schedule", "seed", "class_names"];

/** One picture before and after the corruption. */
const previewOf = () => {
  const figures = ["as drawn", "as streamed"].map((text) => {
    const image = h("img", { alt: `One picture, ${text}`, width: 96, height: 96 });
    return { image, node: h("figure", {}, image, h("figcaption", { text })) };
  });
  const node = h("div", { class: "preview" }, ...figures.map((one) => one.node));
  /** @param {string[] | null} pictures */
  const show = (pictures) => {
    node.hidden = !pictures;
    pictures?.forEach((address, k) => {
      figures[k].image.src = address;
    });
  };
  return { node, show };
};

/** @typedef {Record<string, any>} Settings */

/**
 * Where a field's value is among the settings: under its name, or, of a start's knob, in start_settings.
 * Another start has other knobs, so those of the one before go with it.
 * @param {import("../wire.js").Field} spec
 * @returns {{read: (settings: Settings) => any, news: (settings: Settings, value: any) => Settings}}
 */
const place = ({ name, default: fallback }) => {
  const knob = name.split(".")[1];
  if (knob) {
    return {
      read: ({ start_settings: own }) => own[knob] ?? fallback,
      news: ({ start_settings: own }, value) => ({ start_settings: { ...own, [knob]: value } }),
    };
  }
  return {
    read: (settings) => settings[name],
    news: (_, value) => ({ [name]: value, ...(name === "start" && { start_settings: {} }) }),
  };
};

/** @param {import("../part.js").Part<"form">} part */
export default function mount({ element, props, watch, server }) {
  let settings = structuredClone(props.value);
  /** @type {import("../form/controls.js").Control["show"][]} */
  const shows = [];
  const preview = previewOf();
  const look = onceStill(STILL, () => server.preview(settings), preview.show);

  const ask = onceStill(
    STILL,
    () => server.expense(settings),
    (found) => store.expense.put(found),
  );
  // A run tells how fast it was: after it the answer may be another.
  const estimate = () => ask(JSON.stringify([settings, STATES[store.run.value.state].busy]));

  const refresh = () => {
    for (const show of shows) show(settings);
    estimate();
    look(JSON.stringify(SEEN.map((name) => settings[name])));
  };
  /** @param {Record<string, any>} news */
  const adopt = (news) => {
    settings = structuredClone({ ...settings, ...news });
    props.value = structuredClone(settings);
    store.settings.put(settings);
    refresh();
  };
  const changed = () => adopt({ lesson: "" });

  const chosen = methods(
    props.methods,
    props.most,
    { settings: () => settings, changed, refresh },
    server.costs,
  );
  shows.push(chosen.show);
  const host = find(element, ".sections");
  for (const section of props.sections) {
    const fields = section.fields.map((spec) => {
      const { read, news } = place(spec);
      return field(
        spec,
        () => read(settings),
        (value) => adopt({ ...news(settings, value), lesson: "" }),
        server.names,
      );
    });
    shows.push(...fields.map((one) => one.show));
    const open = section.open && !isNarrow();
    host.append(
      h(
        "details",
        { class: "section", open, "data-section": section.name },
        h("summary", { text: section.title }),
        section.name === "shift" && preview.node,
        ...(section.name === "methods" ? chosen.nodes : fields.map((one) => one.node)),
      ),
    );
  }
  store.choice.follow(element, adopt);
  store.run.follow(element, estimate);
  watch("value", () => adopt(props.value)); // the server may send only what changes
  store.settings.put(settings);
  refresh();
  explain(host);
}
