// @ts-check
// The lessons: each sets every control, asks what will happen, and says why it did. One at a time they are
// shown to a room, printed, and made part of other pages.

import { buttonsOf, find, h, isLow } from "../lib/dom.js";
import { asking, choice, curve, looks, mode, recorded, run, settings, textOf } from "../lib/store.js";
import { tell } from "../lib/terms.js";
import { STATES } from "../wire.js";
import { addressOf, frameOf } from "./lessons/address.js";
import { write } from "./lessons/handout.js";
import { keepMode } from "./lessons/modes.js";
import { showNeeds } from "./lessons/needs.js";
import { ask } from "./lessons/question.js";

/** @typedef {import("../wire.js").LessonCard} LessonCard */

const OWN = "Your own settings.";
const SAID = 2500; // milliseconds that a button says what became of a press
const linked = new URL(location.href).searchParams.get("lesson"); // by the address the page was opened with

let choices = 0; // so far; on its way to the server one may overtake another

/** @param {import("../part.js").Part<"lessons">} part */
export default function mount({ element, props, trigger }) {
  const { lessons } = props;
  const list = find(element, ".cards");
  const title = find(element, ".title");
  const place = find(element, ".place");
  const about = find(element, ".about", HTMLDetailsElement);
  const says = find(element, ".look-for");
  const protocol = find(element, ".protocol");
  const needs = find(element, ".needs");
  const question = find(element, ".question");
  const button = buttonsOf(element);
  const copied = find(element, ".copied", HTMLInputElement);
  const whole = find(element, ".whole", HTMLAnchorElement);
  const [above, below] = [find(element, ".handout.above"), find(element, ".handout.below")];
  let asked = ""; // the lesson whose question stands there
  /** The lesson that the settings are of, null before there are any. @type {string | null} */
  let current = null;
  let shown = lessons[0]; // the lesson that was chosen last, whatever was changed since

  /** @param {LessonCard} lesson */
  const choose = (lesson) => {
    choice.put(lesson.settings);
    if (!STATES[run.value.state].busy) trigger("choose", { lesson: lesson.name, number: ++choices });
  };
  const inputs = lessons.map((lesson, k) => {
    const input = h("input", { type: "radio", name: "lesson", value: lesson.name });
    input.addEventListener("change", () => choose(lesson));
    const picture = lesson.picture
      ? h("img", { src: lesson.picture, alt: "", width: 44, height: 44 })
      : h("i", { class: "blank" });
    const number = h("span", { class: "number", text: `${k + 1}` });
    const name = h("span", {}, number, h("span", { class: "name", text: lesson.title }));
    list.append(h("label", { class: "card" }, input, picture, name));
    return input;
  });
  recorded.put(lessons[0].settings);
  /** Bring the chosen lesson into the row's view, without moving the page. */
  const showCard = () => {
    const card = inputs.find((input) => input.checked)?.closest(".card");
    if (!(card instanceof HTMLElement)) return;
    const isHidden = card.offsetLeft < list.scrollLeft;
    const isBeyond = card.offsetLeft + card.offsetWidth > list.scrollLeft + list.clientWidth;
    if (isHidden || isBeyond) list.scrollLeft = card.offsetLeft - list.offsetLeft;
  };

  // ---- one after the other ----

  const at = () => lessons.indexOf(shown);
  /** @param {number} way 1 for the next lesson, -1 for the one before */
  const go = (way) => {
    const next = lessons[at() + way];
    if (next) choose(next);
  };
  button.previous.addEventListener("click", () => go(-1));
  button.next.addEventListener("click", () => go(1));
  button.twin.addEventListener("click", () => {
    const twin = lessons.find((one) => one.name === shown.needs?.twin);
    if (twin) choose(twin);
  });
  keepMode(element, { go, lesson: () => shown.name, button: button.present });

  const introduce = () => {
    const { name, minutes } = shown;
    const where = `Lesson ${at() + 1} of ${lessons.length}`;
    title.textContent = shown.title;
    place.textContent = `${where} · ${minutes} min`;
    button.previous.disabled = at() === 0;
    button.next.disabled = at() === lessons.length - 1;
    copied.hidden = true;
    whole.href = addressOf(name);
    write(above, below, shown, where);
  };

  // ---- kept and passed on ----

  button.print.addEventListener("click", () => print());
  /**
   * @param {HTMLButtonElement} pressed
   * @param {string} text
   */
  const copy = async (pressed, text) => {
    const before = pressed.textContent;
    copied.value = text;
    copied.hidden = false;
    copied.select();
    try {
      await navigator.clipboard.writeText(text);
      pressed.textContent = "Copied";
    } catch {
      pressed.textContent = "Copy it from here:";
    }
    setTimeout(() => {
      pressed.textContent = before;
    }, SAID);
  };
  button.address.addEventListener("click", () => copy(button.address, addressOf(shown.name)));
  button.frame.addEventListener("click", () => copy(button.frame, frameOf(shown.name, shown.title)));

  // ---- what is set ----

  /**
   * What the settings are of: a lesson, the change that it proposes, or the reader's own.
   * @param {LessonCard | undefined} lesson
   * @param {Record<string, any>} now
   */
  const sayWhose = (lesson, now) => {
    const change = shown.question?.change;
    const isChanged = !lesson && change && textOf(now) === textOf(change.settings);
    tell(says, lesson?.look_for ?? (isChanged ? `${shown.title} · changed: ${change.says}` : OWN));
    tell(protocol, lesson?.protocol ?? "");
    showNeeds(needs, button.twin, lesson?.needs);
    question.hidden = !lesson?.question && !isChanged;
    if (question.hidden) asking.put(false);
  };

  /** Say of which settings the recorded run is that is shown: of a recorded lesson's, once one is chosen. */
  const mark = () => {
    const lesson = lessons.find((one) => one.name === settings.value?.lesson);
    if (lesson?.question && run.value.state === "recorded") recorded.put(lesson.settings);
  };

  /**
   * Look at what the lesson is about. A link that names the lesson may name another curve besides.
   * @param {string} name
   * @param {import("../wire.js").Looks} what
   */
  const look = (name, what) => {
    const isLinked = !looks.value && name === linked;
    looks.put(isLinked ? { ...what, curve: curve.value ?? what.curve } : what);
  };
  about.open = !isLow();
  introduce();
  run.follow(element, mark);
  settings.follow(element, (now) => {
    mark();
    const lesson = lessons.find((one) => one.name === now.lesson);
    for (const input of inputs) input.checked = input.value === lesson?.name;
    showCard();
    sayWhose(lesson, now);
    if (lesson && lesson !== shown) {
      shown = lesson;
      introduce();
      mode.put(mode.value); // the address names the lesson
    }
    const isFirstPaint = current === null && lesson === lessons[0] && lesson.name !== linked;
    if (lesson?.looks && current !== lesson.name && !isFirstPaint) look(lesson.name, lesson.looks);
    current = now.lesson;
    if (lesson?.question && asked !== lesson.name) {
      asked = lesson.name;
      ask(question, lesson.question);
    }
  });
}
