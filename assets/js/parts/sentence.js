// @ts-check
// The sentence about what just happened, at the batch being looked at, and which stream it is about.

import { lines } from "../lib/decode.js";
import { find, h, isNarrow } from "../lib/dom.js";
import { asking, at, opened, recorded, run, settings, step, textOf, view } from "../lib/store.js";
import { tell } from "../lib/terms.js";
import { STATES } from "../wire.js";

const TAKEN = 300; // milliseconds after which the form shows what an answer has set
const ALOUD_EVERY = 20; // batches
const GUESS = "Guess first: what the run says appears here once you have answered.";
const NOTHING_YET = "Press Run to watch CLIP adapt itself to pictures it was not trained for.";

/** @param {import("../part.js").Part<"sentence">} part */
export default function mount({ element }) {
  const said = find(element, ".said");
  const aloud = find(element, "[aria-live]");
  const stream = find(element, ".stream");
  const notes = find(element, "ul");
  /** @type {import("../wire.js").Sentence} */
  let news = { steps: "", whole: "", stream: "", notes: [] };
  let set = ""; // the settings of the form
  /** The settings that the results came from. @type {string | null} */
  let shown = null;
  /** Those of a run that was asked for and has not shown anything yet. @type {string | null} */
  let pending = null;

  const caption = () => {
    const { state, done } = run.value;
    if (!news.stream) return "";
    const { busy } = STATES[state];
    if (busy && state !== "stopping" && !done)
      return `Until the first batch is done, the run before: ${news.stream}`;
    if (shown === null || shown === set) return news.stream;
    const next = busy
      ? "What is set up now counts from the next run."
      : "Press Run to see what is set up now.";
    return `${news.stream}. ${next}`;
  };
  const draw = () => {
    const steps = lines(news.steps);
    const now = at(steps.length);
    // At the end it is the whole run that counts; looking back, what was recent then.
    const isEnd = now === steps.length - 1 && !STATES[run.value.state].busy;
    const isKept = asking.value && run.value.state === "recorded"; // it would give the answer away
    tell(said, isKept ? GUESS : (isEnd && news.whole) || steps[now] || NOTHING_YET);
    stream.textContent = caption();
    const { state, done } = run.value;
    const isOther = STATES[state].busy ? state !== "stopping" && !done : shown !== null && shown !== set;
    document.body.classList.toggle("ct-stale", isOther);
    if (steps.length && steps.length % ALOUD_EVERY === 0) aloud.textContent = steps[steps.length - 1];
    notes.replaceChildren(...news.notes.map((text) => h("li", { text })));
  };
  step.follow(element, draw);
  asking.follow(element, draw);
  recorded.follow(element, (first) => {
    shown = textOf(first);
    draw();
  });
  settings.follow(element, (now) => {
    set = textOf(now);
    draw();
  });
  run.follow(element, ({ state, local }) => {
    if (state === "recorded" || state === "idle") pending = null; // it was refused, or failed
    if (local && state === "waiting") {
      pending = set;
      // Where the page is narrow, the results begin below what the lesson says.
      if (isNarrow()) element.scrollIntoView({ behavior: "smooth" });
    }
    draw();
    if (state === "done" || state === "stopped") aloud.textContent = said.textContent;
  });
  view("sentence").follow(element, (now) => {
    news = now;
    if (pending !== null) [shown, pending] = [pending, null];
    if (opened.value) {
      opened.value = false;
      // The form takes the settings of the file with the same answer.
      setTimeout(() => {
        shown = set;
        draw();
      }, TAKEN);
    }
    draw();
  });
  draw();
}
