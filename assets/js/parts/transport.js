// @ts-check
// Run, Pause, Step, Stop, Reset. A press answers at once; the server's state follows.

import { buttonsOf, find } from "../lib/dom.js";
import { nextPress, run, settings, start, view } from "../lib/store.js";
import { STATES } from "../wire.js";

/** @typedef {import("../wire.js").RunState} RunState */

const ASKS = 5000; // milliseconds that Reset waits for a second press
const SETTLED = 100; // milliseconds after which the form has taken a link's settings

/** @param {import("../part.js").Part<"transport">} part */
export default function mount({ element, props, trigger }) {
  const button = buttonsOf(element);
  const word = find(button.pause, "span");
  const lent = find(element, ".lent");
  let pressed = 0; // the latest press of Run
  /** @param {RunState} state */
  const draw = (state) => {
    const { busy, under_way } = STATES[state];
    button.run.disabled = busy;
    button.pause.disabled = button.step.disabled = !under_way;
    button.stop.disabled = !busy || state === "stopping";
    word.textContent = state === "paused" ? "Resume" : "Pause";
    button.pause.setAttribute("aria-label", word.textContent);
    find(element, ".transport").dataset.state = state;
  };
  /**
   * @param {"run" | "pause" | "step" | "stop"} name
   * @param {() => RunState} next the state that the server will say
   */
  const press = (name, next) =>
    button[name].addEventListener("click", () => {
      if (name === "run") pressed = nextPress();
      run.put({ state: next(), local: true });
      trigger(name, { press: pressed });
    });
  press("run", () => "waiting");
  press("pause", () => (run.value.state === "paused" ? "running" : "paused"));
  press("step", () => "paused");
  press("stop", () => "stopping");

  // Reset takes a run of one's own away, and then asks once.
  const resetting = find(button.reset, "span");
  let asks = 0;
  const settle = () => {
    clearTimeout(asks);
    asks = 0;
    resetting.textContent = "Reset";
  };
  button.reset.addEventListener("click", () => {
    if (!asks && !["idle", "recorded"].includes(run.value.state)) {
      resetting.textContent = "Lose this run?";
      asks = window.setTimeout(settle, ASKS);
      return;
    }
    settle();
    trigger("reset");
  });

  run.follow(element, ({ state }) => draw(state));
  const runSoon = () => setTimeout(() => button.run.click(), SETTLED);
  view("message").follow(element, (now) => {
    if (now?.run) runSoon();
  });
  start.follow(element, (wanted) => {
    if (!wanted) return;
    start.put(false); // once, also where this part is drawn anew
    runSoon();
  });
  settings.follow(element, ({ model }) => {
    const isLent = !(props.controls[model] ?? props.others);
    button.pause.hidden = button.step.hidden = isLent;
    lent.hidden = !isLent;
  });
}
