// @ts-check
/** What a contender's memory holds after a batch: pictures by the class predicted when they were stored. */

import { find, h } from "../../lib/dom.js";
import { plural } from "../../lib/format.js";
import { keyOf, word } from "./scene.js";

/** @typedef {import("./scene.js").Scene} Scene */

const MOST = 480; // pictures on the wall

/** @param {number} sure in percent */
const percent = (sure) => `${sure >= 10 ? Math.round(sure) : sure.toFixed(1)}%`;

/**
 * @param {HTMLElement} figure
 * @param {import("./thumbs.js").Thumbs} thumbs
 * @param {(picture: {batch: number, picture: number}) => void} choose
 */
export const memory = (figure, thumbs, choose) => {
  const wall = find(figure, ".wall");
  const help = find(figure, ".help");
  let drawn = "";

  /** @param {Scene} scene @param {import("./scene.js").Stay} stay @param {number} batch */
  const tileOf = ({ known }, stay, batch) => {
    const wrong = stay.truth >= 0 && stay.truth !== stay.label;
    const age = batch - stay.batch;
    const when = age ? `age ${age}` : "new";
    const really = stay.truth >= 0 ? `, really ${word(known, stay.truth)}` : "";
    const stored = `Stored as ${word(known, stay.label)}, ${percent(stay.sure)} sure`;
    return h(
      "button",
      {
        type: "button",
        class: wrong ? "wrong" : stay.truth >= 0 ? "right" : null,
        "data-key": keyOf(stay),
        "aria-label": `${stored}, in batch ${stay.batch}${really}`,
        onclick: () => choose(stay),
      },
      thumbs.tile(stay),
      h("span", { class: "sure", text: percent(stay.sure) }),
      h("span", { class: "age", text: when }),
    );
  };

  return {
    /** @param {Scene} scene */
    draw: (scene) => {
      const { known, at } = scene;
      const { run } = known;
      figure.hidden = !run.memory;
      if (!run.memory) return;
      const batch = run.batches[at];
      const now = `${run.made} ${run.method} ${batch}`;
      if (now === drawn) return;
      drawn = now;
      const here = known.stays.filter((one) => one.batch <= batch && (!one.until || one.until > batch));
      const shown = [...here].sort((a, b) => a.label - b.label || b.sure - a.sure).slice(0, MOST);
      const classes = [...new Set(shown.map((one) => one.label))];
      wall.replaceChildren(
        ...classes.map((label) =>
          h(
            "section",
            { "data-label": label },
            h("h4", { text: word(known, label) }),
            h(
              "div",
              { class: "shelf" },
              ...shown.filter((one) => one.label === label).map((one) => tileOf(scene, one, batch)),
            ),
          ),
        ),
      );
      const wrong = here.filter((one) => one.truth >= 0 && one.truth !== one.label).length;
      const judged = here.filter((one) => one.truth >= 0).length;
      const all = new Set(here.map((one) => one.label)).size;
      const amount = `${plural(here.length, "picture", "pictures")} of ${plural(all, "class", "classes")}`;
      help.textContent =
        `After batch ${batch} ${known.method.title} remembers ${amount}, sorted by the class it answered ` +
        `when it stored them${judged ? `; ${wrong} of ${judged} under a wrong one (red rim)` : ""}. The ` +
        "percentage is its confidence then, as the memory counts it; its age is in batches." +
        (here.length > shown.length ? ` The first ${shown.length} are shown.` : "");
    },
  };
};
