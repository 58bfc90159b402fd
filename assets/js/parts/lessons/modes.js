// @ts-check
// What the page is used as, written where CSS and the address show it: a room sees a lesson alone on the full
// screen and goes on by the arrow keys; in another page there is the lesson and its run.

import { mode } from "../../lib/store.js";
import { addressOf } from "./address.js";

/** Which way a key goes: those of keyboards and those that a presenter's remote sends. */
const WAYS = new Map([
  ["ArrowRight", 1],
  ["PageDown", 1],
  ["ArrowLeft", -1],
  ["PageUp", -1],
]);
const OWN_KEYS = "input, select, textarea, ul"; // what does something else with them

/**
 * @param {HTMLElement} element of the lessons
 * @param {object} lessons
 * @param {(way: number) => void} lessons.go
 * @param {() => string} lessons.lesson the name of the one that is shown
 * @param {HTMLButtonElement} lessons.button that shows them to a room, and no longer
 */
export const keepMode = (element, { go, lesson, button }) => {
  let before = mode.value;
  mode.follow(element, (now) => {
    document.body.classList.toggle("ct-present", now === "present");
    document.body.classList.toggle("ct-embed", now === "embed");
    button.textContent = now === "present" ? "End" : "Present";
    if (now || before) history.replaceState(null, "", addressOf(lesson(), now));
    before = now;
  });

  const leave = () => {
    mode.put("");
    if (document.fullscreenElement) document.exitFullscreen();
  };
  button.addEventListener("click", () => {
    if (mode.value === "present") return leave();
    mode.put("present");
    // A browser may refuse, a frame for example: then the lesson fills the window.
    document.documentElement.requestFullscreen?.().catch(() => {});
  });
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && mode.value === "present") mode.put("");
  });
  document.addEventListener("keydown", (event) => {
    if (mode.value !== "present" || !element.isConnected) return;
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target instanceof Element && event.target.closest(OWN_KEYS)) return;
    const way = WAYS.get(event.key);
    if (event.key === "Escape") leave();
    if (!way) return;
    event.preventDefault();
    go(way);
  });
};
