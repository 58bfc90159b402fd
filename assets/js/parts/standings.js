// @ts-check
// Files of a comparison, and a link to what it takes and to its settings.

import { buttonsOf, find } from "../lib/dom.js";
import { bytesOf, save } from "../lib/files.js";
import { share } from "../lib/share.js";
import { comparing } from "../lib/store.js";

/** @typedef {"csv" | "png" | "svg" | "markdown" | "latex" | "link"} Kind */

/** @param {import("../part.js").Part<"standings">} part */
export default function mount({ element, props, watch, trigger }) {
  const button = buttonsOf(element);
  const field = find(element, "input", HTMLInputElement);
  const message = find(element, ".message");
  for (const [kind, one] of Object.entries(button)) {
    one.addEventListener("click", () => trigger(/** @type {Kind} */ (kind)));
  }
  watch("value", () => {
    const news = props.value;
    if (!news) return;
    const problem = "problem" in news ? news.problem : "";
    message.textContent = problem;
    message.hidden = !problem;
    const { methods, knobs } = comparing.value;
    const looks = { tab: "compare", compare: methods?.join("\n") ?? null, knobs };
    if ("query" in news) share(field, button.link, news.query, looks);
    else if ("data" in news) save(news.name, news.kind, bytesOf(news.data));
  });
}
