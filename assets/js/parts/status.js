// @ts-check
// What the run is doing, and the timeline: progress while it runs, a slider to look back once there is
// something.

import { find, prefersStillness } from "../lib/dom.js";
import { capitalized, left, plural, speed } from "../lib/format.js";
import { clamp } from "../lib/scale.js";
import { run, step, view } from "../lib/store.js";
import { STATES } from "../wire.js";

/** @typedef {import("../wire.js").Status} Status */

const ALL = 6000; // milliseconds in which a run is played again, within the bounds for a batch
const EACH = /** @type {const} */ ([120, 420]);
const FIRST = 900; // before the recorded run plays itself

/** @type {Status} */
const NOTHING = {
  state: "idle",
  done: 0,
  batch: 0,
  batches: 0,
  method: "",
  step: 0,
  steps: 0,
  doing: "",
  share: 0,
  device: "",
};

/**
 * What the run is doing, in words.
 * @param {Status} view
 * @param {import("../wire.js").RunState} state what the page shows, which may be ahead of the server
 * @param {number | null} looked the batch that the reader looks back at
 */
const line = (view, state, looked) => {
  const { word, busy, under_way, over } = STATES[state];
  if (looked !== null && looked < view.done - 1 && !busy) {
    const who = state === "recorded" ? `${word} · batch` : "Looking at batch";
    return `${who} ${looked + 1} of ${view.batches}`;
  }
  if (["waiting", "loading"].includes(state) && view.doing) return capitalized(view.doing);
  const parts = [word];
  if (under_way && view.batch) parts.push(`batch ${view.batch} of ${view.batches}`);
  if (under_way && view.method)
    parts.push(view.steps ? `${view.method}, step ${view.step} of ${view.steps}` : view.method);
  if (over && view.done) {
    const all = plural(view.batches, "batch", "batches");
    parts.push(view.done < view.batches ? `${view.done} of ${all}` : all);
  }
  return parts.join(" · ");
};

/** @param {import("../part.js").Part<"status">} part */
export default function mount({ element }) {
  const root = find(element, ".status");
  const what = find(root, ".what");
  const figures = find(root, ".figures");
  const range = find(root, "input", HTMLInputElement);
  const replay = find(root, "button", HTMLButtonElement);
  let shown = NOTHING;
  let open = false; // from a press of Run to its end: what a run sent before Stop may arrive after the end
  let timer = 0;

  const draw = () => {
    const { state } = run.value;
    const { busy, under_way } = STATES[state];
    const total = Math.max(1, shown.batches);
    what.textContent = line(shown, state, step.value);
    const facts = [
      shown.rate && speed(shown.rate),
      under_way && shown.left && left(shown.left),
      shown.device.toUpperCase(),
    ];
    figures.textContent = facts.filter(Boolean).join(" · ");
    root.dataset.state = state;
    range.max = String(total);
    range.disabled = !shown.done;
    range.style.setProperty("--done", `${100 * (busy ? shown.share : shown.done / total)}%`);
    range.value = String(step.value === null ? Math.max(1, shown.done) : step.value + 1);
    range.setAttribute("aria-valuetext", `batch ${range.value} of ${total}`);
    replay.disabled = busy || shown.done < 2;
  };

  /** @param {number | null} batch */
  const look = (batch) => {
    const last = Math.max(1, shown.done) - 1;
    step.put(batch === null || batch >= last ? null : clamp(batch, 0, last));
    draw();
  };
  const halt = () => {
    clearInterval(timer);
    timer = 0;
    replay.classList.remove("on");
  };
  const play = () => {
    const count = shown.done;
    let batch = 0;
    halt();
    replay.classList.add("on");
    look(0);
    timer = setInterval(
      () => {
        look(++batch);
        if (batch >= count - 1) halt();
      },
      clamp(ALL / count, ...EACH),
    );
  };
  range.addEventListener("input", () => {
    halt();
    look(Number(range.value) - 1);
  });
  replay.addEventListener("click", () => {
    if (!timer) return play();
    halt();
    look(null);
  });

  run.follow(element, ({ state, local }) => {
    if (local && state === "waiting") {
      open = true;
      halt();
      look(null);
    }
    draw();
  });
  view("status").follow(element, (/** @type {Status} */ news) => {
    const { busy } = STATES[news.state];
    if (busy && !open) return;
    open = open && busy;
    const first = shown === NOTHING;
    shown = news;
    if (news.state === "recorded") {
      halt();
      step.put(null);
    }
    const { state, done } = run.value;
    // A step further, which nobody else shows, is drawn here alone.
    if (news.state === state && news.done === done && state !== "recorded") draw();
    else run.put({ state: news.state, done: news.done });
    if (first && news.state === "recorded" && !prefersStillness()) {
      setTimeout(() => run.value.state === "recorded" && play(), FIRST); // the recorded run plays itself once
    }
  });
  draw();
}
