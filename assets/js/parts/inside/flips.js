// @ts-check
/** Pictures that were put right and put wrong, of the batch or spread over the run. */

import { find, h } from "../../lib/dom.js";
import { isGained, isLost, keyOf, word } from "./scene.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Picture} Picture */

/**
 * @param {HTMLElement} figure
 * @param {import("./thumbs.js").Thumbs} thumbs
 * @param {(picture: Picture) => void} choose
 */
export const flips = (figure, thumbs, choose) => {
  const help = find(figure, ".help");
  let drawn = ""; // what the tiles are of

  /** @param {Scene} scene @param {Picture} one */
  const tileOf = ({ known }, one) => {
    const [truth, before, after] = [one.truth, one.before, one.after].map((label) => word(known, label));
    const answers = `zero-shot CLIP ${before}, ${known.method.title} ${after}, really ${truth}`;
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          "data-key": keyOf(one),
          "aria-label": `Batch ${one.batch}, picture ${one.picture + 1}: ${answers}`,
          onclick: () => choose(one),
        },
        thumbs.tile(one),
        h("span", { class: "was", text: before }),
        h("span", { class: "is", text: after }),
      ),
    );
  };

  return {
    /** @param {Scene} scene */
    draw: (scene) => {
      const { known, at, span } = scene;
      const { run } = known;
      figure.hidden = !run.labelled || run.method === "zero_shot";
      if (figure.hidden) return;
      const all = span === "batch" ? known.batches[at] : known.flips;
      const kinds = { gained: all.filter(isGained), lost: all.filter(isLost) };
      const counts = span === "batch" ? { gained: kinds.gained.length, lost: kinds.lost.length } : run.flips;
      const now = `${run.made} ${run.method} ${span} ${span === "batch" ? run.batches[at] : run.done}`;
      if (now === drawn) return;
      drawn = now;
      for (const kind of /** @type {const} */ (["gained", "lost"])) {
        const section = find(figure, `.${kind}`);
        const words = kind === "gained" ? "Wrong to right" : "Right to wrong";
        find(section, "h4").textContent = `${words}: ${counts[kind]}`;
        const tiles = kinds[kind].map((one) => tileOf(scene, one));
        find(section, "ul").replaceChildren(
          ...(tiles.length ? tiles : [h("li", { class: "none", text: "None." })]),
        );
      }
      const some = span === "run" && counts.gained + counts.lost > kinds.gained.length + kinds.lost.length;
      help.textContent =
        `Struck through: the answer of zero-shot CLIP. Below it: that of ${known.method.title}.` +
        (some ? " Some of each kind, spread over the run." : "");
    },
  };
};
