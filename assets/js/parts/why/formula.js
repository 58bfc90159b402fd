// @ts-check
/** What a contender minimizes, written out: each part with its value, lit by what the hand touches. */

import { find, h } from "../../lib/dom.js";
import { underCounts } from "../../lib/plane.js";
import { put, repeat, say } from "./update.js";
import { CLASS_COLOURS, LOSS_LOOKS, PART_LOOKS } from "./looks.js";

const CONTRASTS = ["image_to_text", "symmetric", "hard"]; // a picture chooses among the captions of its batch

/** @param {number} value */
export const signed = (value) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(2);

/** @param {string} name */
const written = (name) => {
  const [before, letter, index] = PART_LOOKS[name].formula;
  const rest = name === "frequency_penalty" ? [" log ", h("i", { text: "n" }), h("sub", { text: "c" })] : [];
  const close = name === "frequency_penalty" ? " )" : ")";
  return h(
    "span",
    { class: "math" },
    before,
    h("i", { text: letter }),
    h("sub", { text: index }),
    ...rest,
    close,
  );
};

/**
 * @param {{part: (name: string | null, pin: boolean) => void}} hand @param {number} side
 */
export const formulaView = (hand, side) => {
  const says = h("p", { class: "says" });
  const list = h("div", { class: "parts", role: "group", "aria-label": "Parts of the loss" });
  const memory = h("p", { class: "from-memory" });
  const element = h("div", { class: "formula" }, says, list, memory);
  let shown = "";

  /** @param {string} name @param {number} place */
  const makePart = (name, place) => {
    const button = h(
      "button",
      { type: "button", class: "part", "data-part": name, "aria-pressed": "false" },
      h("span", { class: "line" }, h("b", { class: "plus", text: place ? "+" : "loss =" }), written(name)),
      h("b", { class: "value" }),
      h("small", { text: PART_LOOKS[name].says }),
      h("i", { class: "strength" }),
    );
    button.addEventListener("pointerenter", () => hand.part(name, false));
    button.addEventListener("pointerleave", () => hand.part(null, false));
    button.addEventListener("click", () => hand.part(name, true));
    return button;
  };

  /** @param {import("./scene.js").Scene} now */
  const draw = (now) => {
    const one = now.sides[side];
    const key = [one.contender.loss, ...one.batch.map((part) => part.name)].join();
    if (key !== shown) {
      shown = key;
      say(says, LOSS_LOOKS[one.contender.loss].says);
      list.replaceChildren(...one.batch.map((part, k) => makePart(part.name, k)));
    }
    const touched = now.hovered;
    const strengths = one.batch.map((part) =>
      touched === null ? 0 : Math.hypot(...part.gradient[touched]) * now.batch,
    );
    const most = Math.max(...strengths);
    one.batch.forEach((part, k) => {
      const button = list.children[k];
      const value = touched !== null && part.each ? part.each[touched] : part.value;
      say(find(button, ".value"), signed(value));
      put(button, "style", `--strength:${Math.min(1, strengths[k]).toFixed(3)}`);
      const counted =
        now.caption !== null && ["prior_entropy", "frequency_penalty", "hard_match"].includes(part.name);
      const lit =
        now.part === part.name ||
        counted ||
        (touched !== null && strengths[k] > 1e-6 && strengths[k] === most);
      button.classList.toggle("lit", lit);
      button.classList.toggle("of-one", touched !== null && Boolean(part.each));
      put(button, "aria-pressed", String(now.part === part.name));
    });
    const kept = one.remembered.size;
    memory.hidden = !one.contender.memory;
    if (one.contender.memory) {
      const value = one.memory.reduce((sum, part) => sum + part.value, 0);
      say(memory, `+ the same over the memory’s ${kept} pictures (dark rings): ${signed(value)}`);
    }
  };
  return { element, draw };
};

/** The row of one picture: what each number of it is. */
export const rowView = (/** @type {number} */ side) => {
  const title = h("b"),
    compared = h("span");
  const caption = h("caption", {}, title, compared);
  const body = h("tbody");
  const titles = ["", "cosine", "score", "answer", "compared with", "pull on score", "own pull", "next step"];
  const head = h(
    "thead",
    {},
    h("tr", {}, ...titles.map((text) => h(text ? "th" : "td", { text, scope: text ? "col" : null }))),
  );
  const table = h(
    "div",
    {
      class: "scroll",
      tabindex: 0,
      role: "region",
      "aria-label": side ? "The picture in B" : "The picture in A",
    },
    h("table", {}, caption, head, body),
  );
  const bars = h("div", { class: "copies", "aria-hidden": "true" });
  const told = h("p", { class: "help" });
  const choice = h("div", { class: "choice" }, bars, told);
  const ask = h("p", {
    class: "help ask",
    text: "Point at a picture to see its numbers here, or press it to keep them.",
  });
  const element = h("div", { class: "row" }, ask, table, choice);

  /**
   * @param {import("./scene.js").Scene} now @param {string[]} names @param {number[]} target
   * @param {number} scale
   */
  const draw = (now, names, target, scale) => {
    const i = now.touched;
    ask.hidden = i !== null;
    table.hidden = choice.hidden = i === null;
    if (i !== null) drawPicture(now, i, names, target, scale);
  };

  /**
   * @param {import("./scene.js").Scene} now @param {number} i @param {string[]} names Of the captions.
   * @param {number[]} target @param {number} scale
   */
  const drawPicture = (now, i, names, target, scale) => {
    const one = now.sides[side];
    const way = (/** @type {number} */ value, digits = 2) =>
      Math.abs(value) < 0.5 * 10 ** -digits ? "0" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
    const shares = one.batch.flatMap((part) => (part.each ? [part.each[i]] : []));
    const loss = shares.length ? `loss ${signed(shares.reduce((sum, value) => sum + value, 0))}; ` : "";
    say(title, `Picture ${i + 1}: ${names[now.labels[i]] ?? "none of the three"}`);
    say(compared, `${loss}compared with ${LOSS_LOOKS[one.contender.loss].target}`);
    repeat(body, names.length, () =>
      h("tr", {}, h("th", { scope: "row" }), ...titles.slice(1).map(() => h("td"))),
    );
    const logits = one.seen.logits[i];
    names.forEach((name, c) => {
      const cells = [
        name,
        signed(logits[c] / scale),
        signed(logits[c]),
        `${(100 * one.seen.probs[i][c]).toFixed(1)} %`,
        `${(100 * target[c]).toFixed(1)} %`,
        way(-one.slopes[i][c]),
        way(100 * one.pulls[i][c], 1),
        `${way(100 * one.carried[i][c], 1)}`,
      ];
      cells.forEach((text, k) => {
        const cell = body.children[c].children[k];
        say(cell, text);
        if (k > 4) cell.className = text.startsWith("+") ? "up" : text.startsWith("−") ? "down" : "";
      });
      body.children[c].classList.toggle("answered", logits[c] === Math.max(...logits));
    });
    choice.hidden = !CONTRASTS.includes(one.contender.loss);
    if (!choice.hidden) drawChoice(now, i, names);
  };

  /**
   * The captions of the batch one by one, each as high as the picture is sure of it: where many are the same
   * they share, and none can be chosen surely.
   * @param {import("./scene.js").Scene} now @param {number} i @param {string[]} names
   */
  const drawChoice = (now, i, names) => {
    const { seen, counts } = now.sides[side];
    const shares = underCounts(seen.logits.slice(0, now.batch))[i];
    const copies = counts.flatMap((count, c) => Array(count).fill(c));
    const most = Math.max(...counts.map((count, c) => (count ? shares[c] / count : 0)));
    repeat(bars, copies.length, () => h("i"));
    copies.forEach((c, k) => {
      const high = Math.max(2, (100 * shares[c]) / counts[c] / most).toFixed(0);
      put(bars.children[k], "style", `--c:${CLASS_COLOURS[c]};height:${high}%`);
    });
    const each = counts.flatMap((count, c) =>
      count ? `${count} × “${names[c]}” at ${((100 * shares[c]) / count).toFixed(0)} % each` : [],
    );
    say(told, `Its choice among the batch’s ${now.batch} captions: ${each.join(", ")}.`);
  };
  return { element, draw };
};
