// @ts-check
// What the run that is set up will cost, where that is much, and settings that cost less, a click each.

import { find, h } from "../lib/dom.js";
import { choice, expense, run } from "../lib/store.js";
import { STATES } from "../wire.js";

/** @param {import("../part.js").Part<"expense">} part */
export default function mount({ element }) {
  const says = find(element, ".says");
  const cheaper = find(element, ".cheaper");
  const draw = () => {
    const told = STATES[run.value.state].busy ? null : expense.value;
    says.hidden = !told;
    cheaper.hidden = !told?.cheaper.length;
    if (!told) return;
    says.textContent = told.says;
    const buttons = told.cheaper.map((change) =>
      h("button", { type: "button", text: change.says, onclick: () => choice.put(change.settings) }),
    );
    cheaper.replaceChildren(h("span", { text: "Cheaper:" }), ...buttons);
  };
  run.follow(element, draw);
  expense.follow(element, draw);
}
