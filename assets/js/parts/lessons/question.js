// @ts-check
// A lesson's question with its answers, and what the run has answered once one of them was picked.

import { h } from "../../lib/dom.js";
import { addressOfPreset, showPreset } from "../../lib/plane_link.js";
import { asking, choice, mode, start } from "../../lib/store.js";
import { explain } from "../../lib/terms.js";

/** @typedef {import("../../wire.js").Question} Question */

/**
 * Where the plane shows the same. Inside another page it opens in a window of its own.
 * @param {Question} question
 */
const toThePlane = (question) => {
  const text = "See it happen in two dimensions";
  if (mode.value === "embed") {
    const to = { href: addressOfPreset(question.preset), target: "_blank", rel: "noopener" };
    return h("a", { class: "to-why", text, ...to });
  }
  const onclick = () => {
    mode.put("");
    showPreset(question.preset);
  };
  return h("button", { type: "button", class: "to-why", text, onclick });
};

/**
 * What the run has answered, why, and what to try next.
 * @param {Question} question
 * @param {boolean} isRight whether the guess was
 */
const answered = (question, isRight) => {
  const onclick = () => {
    choice.put(question.change.settings);
    start.put(true);
  };
  const next = h("button", { type: "button", class: "change", text: question.change.says, onclick });
  const answer = h(
    "div",
    { class: "answer", tabindex: -1 },
    h("p", { class: "verdict", text: isRight ? "Right." : "Not in this run." }),
    h("p", { class: "says", text: question.says }),
    h("p", { class: "because" }, `${question.why} `, toThePlane(question)),
    h("p", { class: "next" }, "Now change this, and run it: ", next),
  );
  explain(answer);
  return answer;
};

/**
 * Ask in a host, in place of what was asked there before.
 * @param {HTMLElement} host
 * @param {Question} question
 */
export const ask = (host, question) => {
  const buttons = question.answers.map((text, k) =>
    h("button", { type: "button", "aria-pressed": "false", text, onclick: () => pick(k) }),
  );
  /** @param {number} picked */
  const pick = (picked) => {
    buttons.forEach((button, k) => {
      button.disabled = true;
      button.setAttribute("aria-pressed", String(k === picked));
      button.classList.toggle("right", k === question.right);
      button.classList.toggle("wrong", k === picked && k !== question.right);
    });
    asking.put(false);
    const answer = answered(question, picked === question.right);
    host.append(answer);
    answer.focus({ preventScroll: true });
  };
  const title = h("h3", { id: "ct-asks", text: question.asks });
  const answers = h("div", { class: "answers", role: "group", "aria-labelledby": "ct-asks" }, ...buttons);
  host.replaceChildren(title, answers);
  asking.put(true);
};
