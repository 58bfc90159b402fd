// @ts-check
// Files of a run, and a link to its settings.

import { buttonsOf, find } from "../lib/dom.js";
import { bytesOf, save } from "../lib/files.js";
import { curve, opened } from "../lib/store.js";

const SAID = 2500; // milliseconds that the button says what became of the link

/** @typedef {"csv" | "pictures" | "json" | "png" | "svg" | "link"} Kind */

/** @param {import("../part.js").Part<"exports">} part */
export default function mount({ element, props, watch, trigger }) {
  const button = buttonsOf(element);
  const runs = find(element, "input[type=checkbox]", HTMLInputElement);
  const field = find(element, "input[type=text]", HTMLInputElement);
  const file = find(element, "input[type=file]", HTMLInputElement);
  for (const [kind, one] of Object.entries(button)) {
    if (kind === "open") continue;
    one.addEventListener("click", () => trigger(/** @type {Kind} */ (kind)));
  }
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
