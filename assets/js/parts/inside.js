// @ts-check
// One contender of a run from inside: a map, flips, confusion, variance, memory and drift, batch by batch.

import { buttonsOf, find, h } from "../lib/dom.js";
import { swatch } from "../lib/marks.js";
import { clamp } from "../lib/scale.js";
import { run, view } from "../lib/store.js";
import { STATES } from "../wire.js";
import { confusion } from "./inside/confusion.js";
import { drift } from "./inside/drift.js";
import { featureMap } from "./inside/feature_map.js";
import { flips } from "./inside/flips.js";
import { memory } from "./inside/memory.js";
import { one } from "./inside/one.js";
import { known as decoded } from "./inside/scene.js";
import { thumbStore } from "./inside/thumbs.js";
import { variance } from "./inside/variance.js";

/** @typedef {import("./inside/scene.js").Known} Known */

const EACH = 1300; // milliseconds for a batch: pictures take half of it to their places
const WHOLE = 40_000; // for a long run
const REST = 1500; // between two looks at a run that goes on
const PATIENCE = 20_000; // for an answer
const UNANSWERED = "The server did not answer; please try again.";

/** @param {import("../part.js").Part<"inside">} part */
export default function mount({ element, props, watch, trigger }) {
  const message = find(element, ".message");
  const choose = find(element, ".choose");
  const range = find(element, "input[type=range]", HTMLInputElement);
  const output = find(element, "output");
  const { play } = buttonsOf(element);
  /** @type {Known | null} */
  let known = null;
  /** @type {string | null} the contender that is wished for */
  let method = null;
  /** @type {number | null} a batch's number; null for the newest */
  let batch = null;
  /** @type {"truth" | "answer"} */
  let colour = "truth";
  /** @type {"batch" | "run"} */
  let span = "batch";
  /** @type {{batch: number, picture: number} | null} */
  let chosen = null;
  let player = 0;

  // ---- one question at a time ----
  let asked = 0; // the number of the latest question
  let open = false; // whether its answer is still to come
  let stale = true; // whether there may be news of the run
  let onScreen = false;
  let [rest, patience] = [0, 0];
  const ask = () => {
    if (open || !onScreen) return;
    if (stale && !rest) {
      [stale, open] = [false, true];
      asked += 1;
      trigger("look", { asked, method });
    } else {
      const tiles = thumbs.next();
      if (!tiles.length) return;
      open = true;
      asked += 1;
      trigger("fetch", { asked, tiles });
    }
    patience = setTimeout(() => {
      open = false;
      complain(UNANSWERED);
    }, PATIENCE);
  };
  const soon = () => queueMicrotask(ask);
  const refresh = () => {
    stale = true;
    soon();
  };
  const thumbs = thumbStore(soon);
  /** @param {string} text */
  const complain = (text) => {
    message.textContent = text;
    message.hidden = !text;
  };

  // ---- what is drawn ----
  /** @param {{batch: number, picture: number}} picture */
  const pick = (picture) => {
    if (picture.picture < 0) return;
    chosen = { batch: picture.batch, picture: picture.picture };
    if (known?.run.batches.includes(picture.batch) && picture.batch !== known.run.batches[at()]) {
      halt();
      batch = picture.batch;
    }
    draw();
  };
  /** @param {string} name */
  const figure = (name) => find(element, `figure.${name}`);
  const parts = [
    featureMap(figure("map"), pick),
    one(figure("one"), thumbs),
    variance(figure("variance")),
    flips(figure("flips"), thumbs, pick),
    confusion(figure("confusion")),
    memory(figure("memory"), thumbs, pick),
    drift(figure("drift")),
  ];
  /** Which of the drawn batches is looked at. */
  const at = () => {
    const all = known?.run.batches ?? [];
    const place = batch === null ? -1 : all.findIndex((number) => number >= /** @type {number} */ (batch));
    return place < 0 ? all.length - 1 : place;
  };
  const draw = () => {
    if (!known) return;
    const { batches, total } = known.run;
    const place = at();
    range.max = String(batches.length);
    range.value = String(place + 1);
    range.style.setProperty("--fill", `${batches.length > 1 ? (100 * place) / (batches.length - 1) : 100}%`);
    range.setAttribute("aria-valuetext", `batch ${batches[place]} of ${total}`);
    output.textContent = `batch ${batches[place]} of ${total}`;
    play.disabled = batches.length < 2;
    for (const one of parts) one.draw({ known, at: place, colour, span, chosen });
  };
  const chooseContender = (/** @type {string} */ name) => {
    method = name;
    refresh();
  };
  /** @param {import("../wire.js").InsideRun} news */
  const take = (news) => {
    if (news.made !== known?.run.made) {
      thumbs.clear();
      [batch, chosen] = [null, null];
      halt();
    }
    known = decoded(news);
    find(element, ".stream").textContent = news.stream;
    find(element, ".figures").hidden = false;
    const focused = choose.contains(document.activeElement);
    choose.replaceChildren(
      ...news.methods.map((one) =>
        h(
          "button",
          {
            type: "button",
            "data-name": one.name,
            "aria-pressed": String(one.name === news.method),
            onclick: () => chooseContender(one.name),
          },
          swatch(one),
          h("span", { text: one.title }),
        ),
      ),
    );
    if (focused) find(choose, "[aria-pressed=true]").focus();
    draw();
  };

  // ---- playing ----
  const halt = () => {
    clearInterval(player);
    player = 0;
    play.textContent = "Play";
  };
  play.addEventListener("click", () => {
    if (player || !known) return halt();
    const count = known.run.batches.length;
    if (at() === count - 1) batch = known.run.batches[0];
    else batch = known.run.batches[at()];
    play.textContent = "Pause";
    draw();
    player = setInterval(
      () => {
        const all = known?.run.batches ?? [];
        batch = all[clamp(at() + 1, 0, all.length - 1)];
        draw();
        if (at() >= all.length - 1) halt();
      },
      Math.min(EACH, WHOLE / count),
    );
  });
  range.addEventListener("input", () => {
    halt();
    const all = known?.run.batches ?? [];
    const place = Number(range.value) - 1;
    batch = place >= all.length - 1 ? null : all[place];
    draw();
  });
  element.addEventListener("change", (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.name === "ct-inside-colour") colour = /** @type {"truth" | "answer"} */ (input.value);
    else if (input.name === "ct-inside-span") span = /** @type {"batch" | "run"} */ (input.value);
    else return;
    draw();
  });

  // ---- news ----
  watch("value", () => {
    const answer = props.value;
    if (!answer || answer.asked !== asked) return;
    clearTimeout(patience);
    open = false;
    complain(answer.message ?? "");
    if (answer.sheet) thumbs.take(answer.sheet);
    if (answer.run) {
      take(answer.run);
      if (STATES[run.value.state].busy) {
        rest = setTimeout(() => {
          rest = 0;
          ask();
        }, REST);
      }
    }
    soon();
  });
  view("curves").follow(element, refresh);
  new IntersectionObserver((changes) => {
    onScreen = changes[changes.length - 1].isIntersecting;
    ask();
  }).observe(element);
}
