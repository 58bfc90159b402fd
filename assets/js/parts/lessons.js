// @ts-check
// The scenario menu: each lesson sets every control.

import { find, h } from "../lib/dom.js";
import { choice, recorded, settings } from "../lib/store.js";

/** @param {import("../part.js").Part<"lessons">} part */
export default function mount({ element, props }) {
  const list = find(element, ".cards");
  const says = find(element, ".look-for");
  const protocol = find(element, ".protocol");
  const inputs = props.lessons.map((lesson) => {
    const input = h("input", { type: "radio", name: "lesson", value: lesson.name });
    input.addEventListener("change", () => choice.put(lesson.settings));
    const picture = lesson.picture
      ? h("img", { src: lesson.picture, alt: "", width: 44, height: 44 })
      : h("i", { class: "blank" });
    list.append(h("label", { class: "card" }, input, picture, h("span", { text: lesson.title })));
    return input;
  });
  recorded.put(props.lessons[0].settings);
  settings.follow(element, (now) => {
    const lesson = props.lessons.find((one) => one.name === now.lesson);
    for (const input of inputs) input.checked = input.value === lesson?.name;
    says.textContent = lesson ? lesson.look_for : "Your own settings.";
    protocol.textContent = lesson?.protocol ?? "";
  });
}
