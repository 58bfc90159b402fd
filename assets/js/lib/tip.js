// @ts-check
// One tip for the whole page, beside the pointer.

import { h } from "./dom.js";
import { swatch } from "./marks.js";

const GAP = 14;
const tip = h("div", { class: "ct-tip", role: "tooltip", hidden: true });

/**
 * @param {PointerEvent} event
 * @param {string} title
 * @param {[import("./marks.js").Look | null, string, string][]} rows mark, words, value
 */
export const showTip = (event, title, rows) => {
  if (!tip.isConnected) document.body.append(tip);
  tip.replaceChildren(h("b", { text: title }));
  for (const [look, words, value] of rows) {
    const sign = look ? swatch(look) : h("i");
    tip.append(h("div", {}, sign, h("span", { text: words }), h("em", { text: value })));
  }
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const beside = event.clientX + GAP;
  const left = beside + box.width > innerWidth ? event.clientX - GAP - box.width : beside;
  const top = Math.min(innerHeight - box.height - 8, Math.max(8, event.clientY - box.height / 2));
  tip.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`;
};

export const hideTip = () => {
  tip.hidden = true;
};

/**
 * Tell an element's tips.
 * @param {Element} element
 * @param {(event: PointerEvent) => void} hover shows the tip, or hides it where there is none
 * @param {() => void} [leave]
 */
export const onHover = (element, hover, leave = () => {}) => {
  element.addEventListener("pointermove", (event) => hover(/** @type {PointerEvent} */ (event)));
  element.addEventListener("pointerleave", () => {
    hideTip();
    leave();
  });
};
