// @ts-check
// Files of a run, a link to its settings, and a script that does the same.

import { buttonsOf, find } from "../lib/dom.js";
import { bytesOf, save } from "../lib/files.js";
import { share } from "../lib/share.js";
import { curve, opened, view } from "../lib/store.js";

/** @typedef {"csv" | "settings" | "pictures" | "json" | "png" | "svg" | "link" | "script"} Kind */

/** @param {import("../part.js").Part<"exports">} part */
export default function mount({ element, props, watch, trigger }) {
  const button = buttonsOf(element);
  const chart = find(element, "select", HTMLSelectElement);
  const script = find(element, ".script");
  const runs = find(element, "input[type=checkbox]", HTMLInputElement);
  const field = find(element, "input[type=text]", HTMLInputElement);
  const file = find(element, "input[type=file]", HTMLInputElement);
  for (const [kind, one] of Object.entries(button)) {
    if (kind === "open") continue;
    one.addEventListener("click", () => {
      const shown = document.querySelector("#ct-curves select");
      const what = shown instanceof HTMLSelectElement ? shown.value : "";
      trigger(/** @type {Kind} */ (kind), { chart: chart.value, curve: what });
    });
  }
  view("scores").follow(element, (now) => {
    const scores = find(chart, "option[value=scores]", HTMLOptionElement);
    scores.disabled = !now;
    if (!now && chart.value === scores.value) chart.value = "";
  });
  /** @param {File | undefined} saved */
  const open = async (saved) => {
    if (!saved) return;
    opened.put(true);
    trigger("open", { text: await saved.text() });
  };
  button.open.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    open(file.files?.[0]);
    file.value = "";
  });
  // Files of pictures belong to the uploads; a single JSON that is dropped elsewhere is a run.
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const [first] = event.dataTransfer?.files ?? [];
    if (event.defaultPrevented || !element.isConnected) return;
    event.preventDefault();
    if (first?.name.endsWith(".json")) open(first);
  });
  watch("value", () => {
    const news = props.value;
    if (!news) return;
    if ("query" in news) {
      share(field, button.link, news.query, { curve: curve.value, run: runs.checked ? "1" : null });
    } else if ("code" in news) {
      find(script, "pre").textContent = news.code.replace("{address}", location.origin + location.pathname);
      script.hidden = false;
    } else if ("data" in news) save(news.name, news.kind, bytesOf(news.data));
  });
}
