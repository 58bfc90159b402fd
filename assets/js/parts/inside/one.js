// @ts-check
/** The picture that was chosen: what it shows, what was answered. */

import { find, h } from "../../lib/dom.js";
import { pictureOf, word } from "./scene.js";

/** @typedef {import("./scene.js").Scene} Scene */

/**
 * @param {HTMLElement} figure
 * @param {import("./thumbs.js").Thumbs} thumbs
 */
export const one = (figure, thumbs) => {
  const card = find(figure, ".card");
  const list = find(card, "dl");
  let drawn = "";
  return {
    /** @param {Scene} scene */
    draw: ({ known, chosen }) => {
      const picture = chosen && pictureOf(known, chosen);
      card.classList.toggle("nothing", !picture);
      const { run, method } = known;
      const now = picture ? `${run.made} ${run.method} ${picture.batch}:${picture.picture}` : "";
      if (now === drawn) return;
      drawn = now;
      if (!picture) return;
      find(card, ".pic").replaceWith(thumbs.tile(picture));
      const sure = picture.sure === null ? "" : `, ${picture.sure}% sure`;
      const rows = [
        ["Where", `batch ${picture.batch}, picture ${picture.picture + 1}`],
        ...(run.labelled ? [["Really", word(known, picture.truth)]] : []),
        ["Zero-shot CLIP", word(known, picture.before)],
        ...(run.method === "zero_shot" ? [] : [[method.title, `${word(known, picture.after)}${sure}`]]),
      ];
      list.replaceChildren(
        ...rows.map(([what, value]) => h("div", {}, h("dt", { text: what }), h("dd", { text: value }))),
      );
    },
  };
};
