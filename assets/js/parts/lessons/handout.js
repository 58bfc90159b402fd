// @ts-check
// What is printed of a lesson beside the charts: its question to be ticked above them, the answer below.

import { h } from "../../lib/dom.js";
import { addressOf } from "./address.js";

/**
 * @param {HTMLElement} above
 * @param {HTMLElement} below
 * @param {import("../../wire.js").LessonCard} lesson
 * @param {string} place in the course
 */
export const write = (above, below, lesson, place) => {
  const { question } = lesson;
  const asked = question && [
    h("h2", { text: question.asks }),
    h("ul", {}, ...question.answers.map((text) => h("li", { text }))),
  ];
  above.replaceChildren(
    h("p", { class: "place", text: `CLIPTTA Playground · ${place}` }),
    h("h1", { text: lesson.title }),
    h("p", { text: lesson.look_for }),
    h("p", { class: "set", text: lesson.protocol }),
    ...(asked ?? []),
  );
  const answer = question && [
    h("h2", { text: "What this run says" }),
    h("p", { text: question.says }),
    h("p", { text: question.why }),
    h("p", { text: `Now change this: ${question.change.says}.` }),
  ];
  below.replaceChildren(...(answer ?? []), h("p", { class: "where", text: addressOf(lesson.name) }));
};
