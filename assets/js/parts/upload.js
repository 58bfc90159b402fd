// @ts-check
// The visitor's own pictures: files, folders or archives are picked or dropped, packed and sent, and what was
// read of them is shown. The value is {files: [file]} on its way to the server, and an Upload from there.

import * as camera from "../lib/camera.js";
import { buttonsOf, find, h } from "../lib/dom.js";
import { megabytes } from "../lib/format.js";
import { apart, gather, pack } from "../lib/pack.js";
import { choice, settings } from "../lib/store.js";

/** @typedef {import("../lib/pack.js").Entry} Entry */

const MEGABYTE = 2 ** 20;
const STILL = 300; // milliseconds without a change of the settings before the pictures are counted again
const BURST = 16; // pictures of the camera in one upload
const SOURCE = { pictures: "source", unknowns: "unknown_source" }; // the setting that asks for an upload

/**
 * What is wrong with what was picked, or "".
 * @param {Entry[]} entries
 * @param {import("../wire.js").UploadLimits} limits
 */
export const excess = (entries, limits) => {
  const bytes = entries.reduce((sum, { file }) => sum + file.size, 0);
  if (bytes > limits.bytes) {
    const most = limits.bytes / MEGABYTE;
    return `All files together may have ${most} MB, these have ${megabytes(bytes)}; choose fewer.`;
  }
  if (entries.length > limits.entries) {
    const most = limits.entries.toLocaleString("en");
    return `At most ${most} files may come at once, these are more; choose fewer.`;
  }
  return "";
};

/** @param {FileList | null} files */
const picked = (files) =>
  [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** @param {import("../part.js").Part<"upload">} part */
export default function mount({ element, props, watch, trigger, upload }) {
  const { limits, purpose } = props;
  const folder = purpose === "pictures" ? props.folder : ""; // the source whose folders are chosen here
  const button = buttonsOf(element);
  const bar = find(element, "progress", HTMLProgressElement);
  const said = find(element, ".read");
  const drop = find(element, ".drop");
  const sheet = find(element, ".thumbnails", HTMLImageElement);
  const seen = find(element, ".seen");
  const offer = find(element, ".offer");
  const counts = find(element, ".counts");
  const skipped = find(element, ".skipped");
  const level = find(element, ".level");
  const levels = find(level, "select", HTMLSelectElement);
  const notes = find(element, ".notes");
  const viewer = find(element, ".camera");
  const video = find(viewer, "video", HTMLVideoElement);
  const pickers = {
    files: find(element, "input.files", HTMLInputElement),
    folder: find(element, "input.folder", HTMLInputElement),
  };
  let busy = false;

  /**
   * @param {string} text
   * @param {number | null} [share] of what is done; null for nothing under way, undefined where nobody knows
   */
  const tell = (text, share) => {
    said.textContent = text;
    bar.hidden = share === null;
    if (typeof share === "number") bar.value = share;
    else bar.removeAttribute("value");
  };
  const disable = () => {
    for (const name of ["files", "folder", "camera", "examples", "shoot", "clear"])
      button[name].disabled = busy;
  };

  /** @param {Entry[]} entries */
  const send = async (entries) => {
    if (busy || !entries.length) return;
    const problem = excess(entries, limits);
    if (problem) return tell(problem, null);
    busy = true;
    disable();
    tell(`Sending ${megabytes(entries.reduce((sum, { file }) => sum + file.size, 0))}`);
    try {
      const files = [];
      for (const { name, blob } of pack(entries, limits.archives)) {
        const file = new File([blob], apart(name), { type: "application/octet-stream" });
        files.push({ path: (await upload(file)).path, meta: { _type: "gradio.FileData" } });
      }
      tell("Waiting to be read");
      props.value = /** @type {any} */ ({ files });
      trigger("read");
    } catch (problem) {
      draw();
      const why = problem instanceof Error ? problem.message : problem;
      tell(`The files could not be sent (${why}); try again.`, null);
    }
    busy = false;
    disable();
  };

  const draw = () => {
    /** @type {Partial<import("../wire.js").Upload>} */
    const news = props.value ?? {};
    disable();
    tell(news.said ?? "", news.share ?? null);
    sheet.hidden = !news.thumbnails;
    if (news.thumbnails) {
      sheet.src = news.thumbnails;
      sheet.alt = `${news.shown} of the pictures`;
    }
    seen.hidden = !news.seen;
    if (news.seen) find(seen, "img", HTMLImageElement).src = news.seen;
    find(seen, "figcaption").textContent = news.sees ?? "";
    offer.hidden = !news.offer;
    find(offer, "span").textContent = news.offer?.said ?? "";
    const classes = (news.counts ?? []).map(([name, count]) =>
      h("li", {}, h("span", { text: name }), h("b", { text: count })),
    );
    counts.replaceChildren(...classes);
    counts.hidden = !classes.length;
    const found = news.levels ?? [];
    level.hidden = found.length < 2;
    const none = news.level === undefined ? [h("option", { value: "", text: "that the list names" })] : [];
    levels.replaceChildren(...none, ...found.map(([depth, text]) => h("option", { value: depth, text })));
    levels.value = String(news.level ?? "");
    const told = news.notes ?? [];
    notes.hidden = !told.length;
    notes.replaceChildren(...told.map((text) => h("li", { text })));
    const left = news.skipped ?? [];
    skipped.hidden = !left.length;
    find(skipped, "summary").textContent = `${left.length} skipped`;
    find(skipped, "ul").replaceChildren(
      ...left.map(([name, why]) => h("li", {}, h("b", { text: name }), ` ${why}`)),
    );
    const folders = news.folders ?? [];
    button.folders.hidden = folders.length < 2;
    button.folders.textContent = `Take the ${folders.length} folder names as classes`;
    button.clear.hidden = !news.kept;
  };

  for (const [name, input] of Object.entries(pickers)) {
    button[name].addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const entries = picked(input.files);
      input.value = "";
      send(entries);
    });
  }
  button.folder.hidden = !("webkitdirectory" in pickers.folder);
  button.folders.addEventListener("click", () =>
    choice.put({ class_names: props.value.folders.join("\n"), lesson: "" }),
  );
  levels.addEventListener("change", () => trigger("level", { depth: Number(levels.value) }));
  button.examples.hidden = purpose !== "pictures";
  button.examples.addEventListener("click", () => {
    busy = true;
    disable();
    tell("Waiting to be read");
    trigger("examples");
  });
  button.offer.addEventListener("click", () => choice.put(props.value.offer?.settings ?? {}));
  button.clear.addEventListener("click", () => trigger("clear"));

  const shut = () => {
    camera.close(video);
    viewer.hidden = true;
  };
  button.camera.hidden = !camera.hasCamera();
  button.shoot.textContent = `Take ${BURST} pictures`;
  button.camera.addEventListener("click", async () => {
    try {
      await camera.open(video);
      viewer.hidden = false;
    } catch (problem) {
      shut();
      const why = problem instanceof Error ? problem.message : problem;
      tell(`The camera could not be opened (${why}); allow it in the browser, or choose files.`, null);
    }
  });
  button.close.addEventListener("click", shut);
  button.shoot.addEventListener("click", async () => {
    button.shoot.disabled = true;
    const entries = await camera.burst(video, BURST, (done) =>
      tell(`${done} of ${BURST} taken`, done / BURST),
    );
    button.shoot.disabled = false;
    shut();
    if (entries.length === BURST) send(entries);
    else draw(); // the camera was closed on the way
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const items = [...(event.dataTransfer?.items ?? [])];
    // All of them before any waiting, which empties the list.
    const entries = items.map((item) => item.webkitGetAsEntry());
    /** @type {Entry[]} */
    const found = [];
    for (const entry of entries) if (entry) await gather(entry, found, limits.entries);
    send(found);
  });
  find(element, ".limits").textContent = limits.said;

  // The pictures are counted and shown again when the class list, the model or the shift changes, and this
  // opens when they are asked for.
  /** @type {string | null} what is said of the pictures depends on it */
  let fit = null;
  /** @type {string | null} */
  let source = null;
  let timer = 0;
  settings.follow(element, (now) => {
    const [before, asked] = [source, now[SOURCE[purpose]]];
    const enters = (/** @type {string} */ one) => before !== one && asked === one;
    const isNews = before !== null && enters("upload") && !props.value?.kept;
    if (isNews || enters(folder)) find(element, "details", HTMLDetailsElement).open = true;
    source = asked;
    const shift = [now.corruption, now.severity, now.schedule, now.seed];
    const asks = JSON.stringify([now.class_names, now.model, shift, asked === folder]);
    const shows = props.value?.kept || [before, asked].includes(folder);
    const changed = fit !== null ? fit !== asks : asked === folder;
    fit = asks;
    if (!changed || !shows || purpose !== "pictures") return;
    clearTimeout(timer);
    timer = setTimeout(() => trigger("recount"), STILL);
  });
  watch("value", () => {
    busy = props.value?.share !== undefined;
    draw();
  });
  draw();
}
