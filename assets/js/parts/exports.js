// @ts-check
// Files of a run, and a link to its settings.

import { buttonsOf, find } from "../lib/dom.js";
import { bytesOf, save } from "../lib/files.js";
import { curve } from "../lib/store.js";

const SAID = 2500; // milliseconds that the button says what became of the link

/** @typedef {"csv" | "json" | "png" | "link"} Kind */

/** @param {import("../part.js").Part<"exports">} part */
export default function mount({ element, props, watch, trigger }) {
  const button = buttonsOf(element);
  const runs = find(element, "input[type=checkbox]", HTMLInputElement);
  const field = find(element, "input[type=text]", HTMLInputElement);
  for (const [kind, one] of Object.entries(button)) {
    one.addEventListener("click", () => trigger(/** @type {Kind} */ (kind)));
  }
  /** @param {string} query */
  const share = async (query) => {
    const address = new URL(location.href);
    address.search = query; // nothing of what came with the address
    address.hash = "";
    if (curve.value) address.searchParams.set("curve", curve.value);
    if (runs.checked) address.searchParams.set("run", "1");
    field.value = address.toString();
    field.hidden = false;
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.link.textContent = "Link copied";
    } catch {
      button.link.textContent = "Link below";
    }
    setTimeout(() => {
      button.link.textContent = "Copy link";
    }, SAID);
  };
  watch("value", () => {
    const news = props.value;
    if (!news) return;
    if ("query" in news) share(news.query);
    else save(news.name, news.kind, bytesOf(news.data));
  });
}
