// @ts-check
// Which picture the sheet of corruptions shows and how severely: a drawn one, or a visitor's own.

import { find, h } from "../lib/dom.js";
import { bytesOf, save } from "../lib/files.js";
import { subject, trouble, untouched } from "../lib/store.js";

const UNANSWERED = "The server did not answer; please try again.";

/** @param {import("../part.js").Part<"subject">} part */
export default function mount({ element, props, watch, server }) {
  const image = find(element, "img", HTMLImageElement);
  const blank = find(element, ".blank");
  const own = find(element, ".own");
  const message = find(element, ".message");
  const keep = find(element, ".keep button", HTMLButtonElement);
  let wanted = { ...props.start };
  /** @type {{key: string, title?: string} | null} */
  let mine = null;

  const tell = () =>
    subject.put(mine ? { ...mine, severity: wanted.severity } : { ...wanted, title: wanted.object });
  /** @param {Partial<typeof wanted>} news */
  const change = (news) => {
    wanted = { ...wanted, ...news };
    write();
    tell();
  };
  /** @param {string | undefined} text */
  const complain = (text) => {
    message.textContent = text ?? "";
    message.hidden = !text;
  };

  // ---- which one ----
  const objects = props.objects.map((name) => h("option", { value: name, text: name }));
  const menu = h("select", { "aria-label": "Object" }, ...objects);
  const called = { "aria-label": "Picture number", title: "Picture number" };
  const number = h("input", { type: "text", inputmode: "numeric", class: "box", ...called });
  const another = h("button", { type: "button", class: "quiet", text: "Another" });
  menu.addEventListener("change", () => change({ object: menu.value }));
  number.addEventListener("change", () => {
    const text = number.value.trim();
    if (/^\d{1,9}$/.test(text)) change({ seed: Number(text) });
    write();
  });
  another.addEventListener("click", () => change({ seed: wanted.seed + 1 }));
  const sign = h("span", { class: "no", "aria-hidden": "true", text: "no." });
  find(element, ".which").append(menu, sign, number, another);

  // ---- how severe ----
  const levels = props.severities.map((level) => {
    const input = h("input", { type: "radio", name: "ct-severity", value: level });
    input.addEventListener("change", () => change({ severity: level }));
    return { level, input, node: h("label", {}, input, h("span", { text: level })) };
  });
  find(element, ".severe").append(
    h(
      "div",
      { class: "pick", role: "radiogroup", "aria-labelledby": "ct-severe" },
      ...levels.map((one) => one.node),
    ),
    h(
      "div",
      { class: "ends", "aria-hidden": "true" },
      h("span", { text: "mild" }),
      h("span", { text: "severe" }),
    ),
  );

  const write = () => {
    menu.value = wanted.object;
    number.value = String(wanted.seed);
    for (const { level, input } of levels) input.checked = level === wanted.severity;
    for (const control of [menu, number, another]) control.disabled = Boolean(mine);
    own.hidden = !mine;
    own.textContent = mine ? `Yours: ${mine.title}` : "";
  };
  untouched.follow(element, ({ source, title }) => {
    image.src = source;
    image.alt = `${title}, as it is`;
    image.hidden = false;
    blank.hidden = true;
  });
  trouble.follow(element, complain);

  // ---- the sheet as a file ----
  keep.addEventListener("click", async () => {
    keep.disabled = true;
    try {
      const file = await server.keep(mine ? { ...mine, severity: wanted.severity } : wanted);
      complain(file.problem);
      if (file.data) save(file.name, file.kind, bytesOf(file.data));
    } catch {
      complain(UNANSWERED);
    } finally {
      keep.disabled = false;
    }
  });

  watch("value", () => {
    const { key, title, problem } = props.value ?? {};
    complain(problem);
    mine = key ? { key, title } : null;
    write();
    tell();
  });
  write();
  tell();
}
