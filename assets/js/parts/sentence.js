// @ts-check
// The sentence about what just happened, at the batch being looked at, and which stream it is about.

import { lines } from "../lib/decode.js";
import { find, h, isNarrow } from "../lib/dom.js";
import { at, run, settings, step, view } from "../lib/store.js";
import { STATES } from "../wire.js";

const ALOUD_EVERY = 20; // batches
const NOTHING_YET = "Press Run to watch CLIP adapt itself to pictures it was not trained for.";

/** @param {import("../part.js").Part<"sentence">} part */
export default function mount({ element }) {
  const said = find(element, ".said");
  const aloud = find(element, "[aria-live]");
  const stream = find(element, ".stream");
  const notes = find(element, "ul");
  /** @type {import("../wire.js").Sentence} */
  let news = { steps: "", stream: "", notes: [] };
  let set = ""; // the settings of the form
  /** The settings that the results came from. @type {string | null} */
  let shown = null;

  const caption = () => {
    const { state, done } = run.value;
    if (!news.stream) return "";
    const { busy } = STATES[state];
    if (busy && state !== "stopping" && !done)
      return `Until the first batch is done, the run before: ${news.stream}`;
    return shown !== null && shown !== set
      ? `${news.stream}. Press Run to see what is set up now.`
      : news.stream;
  };
  const draw = () => {
    const steps = lines(news.steps);
    said.textContent = steps[at(steps.length)] || NOTHING_YET;
    stream.textContent = caption();
    if (steps.length && steps.length % ALOUD_EVERY === 0) aloud.textContent = steps[steps.length - 1];
    notes.replaceChildren(...news.notes.map((text) => h("li", { text })));
  };
  step.follow(element, draw);
  settings.follow(element, (now) => {
    set = JSON.stringify({ ...now, lesson: "" });
    shown ??= set; // the recorded run is the first lesson's
    draw();
  });
  run.follow(element, ({ state, local }) => {
    if (local && state === "waiting") {
      shown = set;
      // Where the page is narrow, the results begin below what the lesson says.
      if (isNarrow()) element.scrollIntoView({ behavior: "smooth" });
    }
    if (state === "recorded") shown = set || null; // the lesson that has been chosen
    if (state === "done" || state === "stopped") aloud.textContent = said.textContent;
    draw();
  });
  view("sentence").follow(element, (now) => {
    news = now;
    draw();
  });
  draw();
}
