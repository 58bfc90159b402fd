// @ts-check
// The scenario menu: each lesson sets every control, asks what will happen, and says why it did.

import { find, h } from "../lib/dom.js";
import { choice, looks, recorded, run, settings } from "../lib/store.js";
import { STATES } from "../wire.js";
import { showPreset } from "./why.js";

/** @typedef {import("../wire.js").LessonCard} LessonCard */
/** @typedef {import("../wire.js").Question} Question */

/**
 * What the run has answered, why, and what to try next.
 * @param {Question} question
 */
const answered = (question) => {
  const link = h("button", {
    type: "button",
    class: "to-why",
    text: "See it happen in two dimensions",
    onclick: () => showPreset(question.preset),
  });
  const next = h("button", {
    type: "button",
    class: "change",
    text: question.change.says,
    onclick: () => choice.put(question.change.settings),
  });
  return h(
    "div",
    { class: "answer", tabindex: -1 },
    h("p", { class: "says", text: question.says }),
    h("p", { class: "because" }, `${question.why} `, link),
    h("p", { class: "next" }, "Now change this: ", next),
  );
};

/**
 * A question with its answers, of which one can be picked.
 * @param {HTMLElement} host
 * @param {Question} question
 */
const ask = (host, question) => {
  const buttons = question.answers.map((text, k) =>
    h("button", { type: "button", "aria-pressed": "false", text, onclick: () => pick(k) }),
  );
  /** @param {number} picked */
  const pick = (picked) => {
    buttons.forEach((button, k) => {
      button.disabled = true;
      button.setAttribute("aria-pressed", String(k === picked));
      button.classList.toggle("right", k === question.right);
    });
    const answer = answered(question);
    host.append(answer);
    answer.focus({ preventScroll: true });
  };
  const title = h("h3", { id: "ct-asks", text: question.asks });
  const answers = h("div", { class: "answers", role: "group", "aria-labelledby": "ct-asks" }, ...buttons);
  host.replaceChildren(title, answers);
};

/** @param {import("../part.js").Part<"lessons">} part */
export default function mount({ element, props, trigger }) {
  const list = find(element, ".cards");
  const says = find(element, ".look-for");
  const protocol = find(element, ".protocol");
  const question = find(element, ".question");
  let asked = ""; // the lesson whose question stands there
  /** The lesson that the settings are of, null before there are any. @type {string | null} */
  let current = null;

  /** @param {LessonCard} lesson */
  const choose = (lesson) => {
    choice.put(lesson.settings);
    if (!STATES[run.value.state].busy) trigger("choose", { lesson: lesson.name });
  };
  const inputs = props.lessons.map((lesson) => {
    const input = h("input", { type: "radio", name: "lesson", value: lesson.name });
    input.addEventListener("change", () => choose(lesson));
    const picture = lesson.picture
      ? h("img", { src: lesson.picture, alt: "", width: 44, height: 44 })
      : h("i", { class: "blank" });
    list.append(h("label", { class: "card" }, input, picture, h("span", { text: lesson.title })));
    return input;
  });
  recorded.put(props.lessons[0].settings);
  /** Bring the chosen lesson into the row's view, without moving the page. */
  const showCard = () => {
    const card = inputs.find((input) => input.checked)?.closest(".card");
    if (!(card instanceof HTMLElement)) return;
    const isHidden = card.offsetLeft < list.scrollLeft;
    const isBeyond = card.offsetLeft + card.offsetWidth > list.scrollLeft + list.clientWidth;
    if (isHidden || isBeyond) list.scrollLeft = card.offsetLeft - list.offsetLeft;
  };
  /** Say of which settings the recorded run is that is shown: of a recorded lesson's, once one is chosen. */
  const mark = () => {
    const lesson = props.lessons.find((one) => one.name === settings.value?.lesson);
    if (lesson?.question && run.value.state === "recorded") recorded.put(lesson.settings);
  };
  run.follow(element, mark);
  settings.follow(element, (now) => {
    mark();
    const lesson = props.lessons.find((one) => one.name === now.lesson);
    for (const input of inputs) input.checked = input.value === lesson?.name;
    showCard();
    says.textContent = lesson ? lesson.look_for : "Your own settings.";
    protocol.textContent = lesson?.protocol ?? "";
    question.hidden = !lesson?.question;
    if (current !== null && lesson?.looks && current !== lesson.name) looks.put(lesson.looks);
    current = now.lesson;
    if (lesson?.question && asked !== lesson.name) {
      asked = lesson.name;
      ask(question, lesson.question);
    }
  });
}
