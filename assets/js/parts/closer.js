// @ts-check
// One picture of the batch, large: what every method makes of it, where losses pull it, what it resembles.

import { find, h } from "../lib/dom.js";
import { format } from "../lib/format.js";
import { ink, swatch } from "../lib/marks.js";
import { view } from "../lib/store.js";

/** @typedef {import("../wire.js").Closer} Closer */
/** @typedef {import("../wire.js").Pull} Pull */

/** @param {Closer} picture */
const facts = ({ image, name, really, applied, under_way, methods }) => {
  const work = methods.find((one) => one.name === under_way);
  const lines = [
    really && `Really: ${really}`,
    applied && `Applied: ${applied}`,
    work && `${work.title} is still at work: its probabilities as they are now.`,
  ];
  const said = lines.flatMap((line) => (line ? [h("p", { text: line })] : []));
  return h("div", { class: "facts" }, h("img", { src: image, alt: name }), ...said);
};

/** Probabilities of the likeliest classes, a column for each method. @param {Closer} picture */
const table = ({ rows, methods }) => {
  const head = methods.map((one) => h("th", { scope: "col" }, swatch(one), h("span", { text: one.title })));
  const body = rows.map((row) => {
    const cells = methods.map((one) => {
      const share = row.probs[one.name];
      const bar = h("i", { style: `width:${100 * share}%;${ink(one)}`, "aria-hidden": "true" });
      return h("td", { "data-method": one.name }, bar, h("span", { text: format("share", share) }));
    });
    const name = h("th", { scope: "row", text: row.name }, row.really && h("em", { text: " true" }));
    return h("tr", { class: row.really ? "really" : null, "data-class": row.name }, name, ...cells);
  });
  const box = { class: "scroll", tabindex: 0, role: "region", "aria-label": "Probabilities" };
  return h(
    "div",
    box,
    h("table", {}, h("thead", {}, h("tr", {}, h("td"), ...head)), h("tbody", {}, ...body)),
  );
};

const VERDICTS = /** @type {Record<string, [string, string]>} */ ({
  1: ["up", "Towards the truth"],
  "-1": ["down", "Away from the truth"],
  0: ["", "No pull on the truth"],
});

/** @param {Pull} pull */
const arrows = ({ title, to, away, truth }) => {
  const most = Math.max(1e-9, ...[...to, ...away].map(([, size]) => Math.abs(size)));
  /**
   * @param {[string, number]} entry
   * @param {string} sign
   */
  const line = ([name, size], sign) =>
    h(
      "li",
      { class: size > 0 ? "to" : "away", "data-class": name },
      h("span", { class: "sign", text: sign }),
      h("span", { text: name }),
      h("i", { style: `width:${(60 * Math.abs(size)) / most}px`, "aria-hidden": "true" }),
    );
  const lines = [...to.map((one) => line(one, "to")), ...away.map((one) => line(one, "from"))];
  const [way, words] = truth === undefined ? ["", ""] : VERDICTS[truth];
  return h(
    "section",
    { class: "pull", "data-loss": title },
    h("h4", { text: title }),
    h("ul", {}, ...(lines.length ? lines : [h("li", { text: "no pull to speak of" })])),
    words && h("p", { class: `verdict ${way}`, text: words }),
  );
};

/** @param {Closer} picture */
const pulled = ({ pulls }) => {
  const help =
    "By the gradient of each loss on this picture's own logits, as zero-shot CLIP sees it in its batch. " +
    "The weights are shared by all pictures: together they may take it elsewhere.";
  return h(
    "div",
    { class: "pulls" },
    h("h4", { text: "Pulled to, and pushed from" }),
    h("div", { class: "side" }, ...pulls.map(arrows)),
    h("p", { class: "help", text: help }),
  );
};

/** @param {Closer} picture */
const memory = ({ neighbours }) => {
  if (!neighbours.length) return null;
  const tiles = neighbours.map(({ image, label, near }) =>
    h(
      "li",
      {},
      h("img", { src: image, alt: "" }),
      h("span", { text: label }),
      h("small", { text: near.toFixed(2) }),
    ),
  );
  const said = `Most like it in the memory of ${neighbours[0].of}`;
  const help = "Cosine of the features, stored under the class predicted then.";
  return h(
    "div",
    { class: "near" },
    h("h4", { text: said }),
    h("ul", { "aria-label": said }, ...tiles),
    h("p", { class: "help", text: help }),
  );
};

/** @param {import("../part.js").Part<"closer">} part */
export default function mount({ element }) {
  const dialog = find(element, "dialog", HTMLDialogElement);
  const title = find(element, "h3");
  const body = find(element, ".body");
  find(element, ".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });

  view("closer").follow(element, (/** @type {Closer | null} */ picture) => {
    if (!picture) return dialog.close();
    title.textContent = `Batch ${picture.batch}: ${picture.name}`;
    const parts = [facts(picture), table(picture), pulled(picture), memory(picture)];
    body.replaceChildren(...parts.filter((one) => one !== null));
    if (!dialog.open) dialog.showModal();
  });
}
