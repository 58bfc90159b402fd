// @ts-check
// One sentence when something cannot be done.

import { find } from "../lib/dom.js";
import { run, view } from "../lib/store.js";

/** @param {import("../part.js").Part<"message">} part */
export default function mount({ element }) {
  const line = find(element, "p");
  view("message").follow(element, (/** @type {import("../wire.js").Message} */ { text }) => {
    line.textContent = text;
    line.hidden = !text;
  });
  run.follow(element, ({ state, local }) => {
    if (local && state === "waiting") line.hidden = true;
  });
}
