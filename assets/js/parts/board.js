// @ts-check
// What the server tells, passed on part by part: each is told its own view, once, and nothing that was told
// before what it has: an answer may be overtaken by a later one. See wire.parts.Board.

import { view } from "../lib/store.js";

/** @param {import("../part.js").Part<"board">} part */
export default function mount({ props, watch }) {
  /** @type {Record<string, number>} */
  const told = {};
  const pass = () => {
    /** @type {Record<string, any>} */
    const news = props.value ?? {};
    for (const [name, serial] of Object.entries(props.value?.serials ?? {})) {
      if ((told[name] ?? 0) >= serial) continue;
      told[name] = serial;
      view(name).put(news[name] ?? null);
    }
  };
  watch("value", pass);
  pass();
}
