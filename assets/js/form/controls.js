// @ts-check
// The controls of the form, one for each kind of field: an element, and a function that shows the settings in
// it.

import { h } from "../lib/dom.js";
import { plain } from "../lib/format.js";
import { onceStill } from "../lib/latest.js";
import { decoded, review } from "../lib/names.js";
import { slider } from "../lib/slider.js";
import { CLASS_LIST } from "../wire.js";

const STILL = 150; // milliseconds without a change of a list before the server is asked what it holds

/** @typedef {boolean | number | string} Value */
/** @typedef {Record<string, any>} Settings */
/**
 * @template {import("../wire.js").Field} Field
 * @typedef {(spec: Field, read: () => any, write: (value: Value) => void, ask: Ask) => Control} Make
 */
/** @typedef {(text: string) => Promise<{names?: string[], problem?: string} | null>} Ask what a list holds */
/** @typedef {{node: HTMLElement, show: (settings: Settings) => void}} Control */

/**
 * A field in which somebody types keeps what is in it: an answer from the server must not erase half a word.
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @returns {(text: string) => void} what writes into it as long as nobody types
 */
const draft = (field) => {
  let typing = false;
  field.addEventListener("input", () => {
    typing = true;
  });
  for (const end of ["change", "blur"]) {
    field.addEventListener(end, () => {
      typing = false;
    });
  }
  return (text) => {
    if (!typing) field.value = text;
  };
};

/**
 * A slider and a box that accepts exact values.
 * @type {Make<import("../wire.js").NumberField>}
 */
const number = (spec, read, write) => {
  const map = slider(spec);
  const step = spec.whole && !spec.log ? 1 : "any";
  const range = h("input", { type: "range", min: 0, max: map.last, step, "aria-label": spec.title });
  const called = { class: "box", "aria-label": `${spec.title}, exact value` };
  const box = h("input", { type: "text", inputmode: "decimal", ...called });
  const put = draft(box);
  range.addEventListener("input", () => write(map.toValue(Number(range.value))));
  box.addEventListener("change", () => {
    const text = box.value.trim();
    const isNumber = text !== "" && Number.isFinite(Number(text));
    write(isNumber && !spec.choices.includes(text) ? Number(text) : text);
  });
  const toggles = spec.choices.map((word) => {
    const input = h("input", { type: "checkbox" });
    input.addEventListener("change", () => write(input.checked ? word : (spec.fallback ?? spec.low)));
    return { word, input, node: h("label", { class: "tick small" }, input, h("span", { text: word })) };
  });
  const [least, most] = spec.limits;
  const show = () => {
    const value = read();
    const isNumber = typeof value === "number";
    const text = isNumber ? plain(value) : (value ?? "");
    put(text);
    const within = isNumber && value >= least && value <= most && (!spec.whole || Number.isInteger(value));
    const fine = within || spec.choices.includes(value);
    box.setAttribute("aria-invalid", String(!fine));
    const kind = spec.whole ? "A whole number" : "A number";
    box.title = fine ? "" : `${kind} from ${plain(least)} to ${plain(most)}`;
    range.disabled = !isNumber;
    if (isNumber) range.value = String(map.toPlace(value));
    range.setAttribute("aria-valuetext", text);
    range.style.setProperty("--at", `${(100 * Number(range.value)) / (map.last || 1)}%`);
    for (const { word, input } of toggles) input.checked = value === word;
  };
  return { node: h("div", { class: "number" }, range, box, ...toggles.map((one) => one.node)), show };
};

/**
 * A menu by groups, and perhaps a field for text of one's own.
 * @type {Make<import("../wire.js").ChoiceField>}
 */
const choice = (spec, read, write) => {
  const select = h("select", { "aria-label": spec.title });
  /** @type {Map<string, HTMLElement>} */
  const groups = new Map([["", select]]);
  for (const { name, title, group } of spec.options) {
    let host = groups.get(group);
    if (!host) {
      host = h("optgroup", { label: group });
      groups.set(group, host);
      select.append(host);
    }
    host.append(h("option", { value: name, text: title }));
  }
  const help = h("p", { class: "help" });
  const own = spec.other ? ownText(spec.title, spec.other, help) : null;
  if (spec.other) select.append(h("option", { value: OWN, text: spec.other.title }));
  /** The value that holds until the text being typed is there. @type {Value | null} */
  let until = null;
  select.addEventListener("change", () => {
    if (!own || select.value !== OWN) {
      until = null;
      write(select.value);
      return;
    }
    until = read();
    own.area.hidden = false;
    own.area.focus();
    own.check();
  });
  own?.area.addEventListener("change", () => {
    if (own.area.value.trim()) write(own.area.value.trim());
  });
  const show = () => {
    const value = read();
    const option = spec.options.find((one) => one.name === value);
    if (value === until) return;
    until = null;
    select.value = option ? value : own ? OWN : "";
    help.textContent = option?.help ?? "";
    if (!own) {
      if (!option && value) help.textContent = `This page lacks “${value}”.`;
      return;
    }
    own.area.hidden = Boolean(option);
    if (!option) {
      own.put(value);
      own.check();
    }
  };
  return { node: h("div", { class: "choice" }, select, own?.area, help), show };
};
const OWN = "*"; // the entry of a menu that opens the field for text of one's own

/**
 * @param {string} title
 * @param {import("../wire.js").Other} other
 * @param {HTMLElement} help says what the text is for, or what is wrong with it
 */
const ownText = (title, other, help) => {
  const called = { "aria-label": `${title}: ${other.title}`, placeholder: other.placeholder };
  const area = h("textarea", { rows: other.rows, class: "line", spellcheck: "false", ...called });
  const check = () => {
    const lines = area.value.split("\n").map((line) => line.trim());
    const bad = lines.find((line) => line && other.hole && line.split(other.hole).length !== 2);
    help.textContent = bad ? `Each line must hold ${other.hole} once; “${bad}” does not.` : other.help;
  };
  area.addEventListener("input", check);
  return { area, check, put: draft(area) };
};

/**
 * A few options side by side.
 * @type {Make<import("../wire.js").PickField>}
 */
const pick = (spec, read, write) => {
  const help = h("p", { class: "help" });
  const inputs = spec.options.map((one) => {
    const input = h("input", { type: "radio", name: `pick-${spec.name}` });
    input.addEventListener("change", () => write(one.value ?? one.name));
    return { one, input, node: h("label", {}, input, h("span", { text: one.title })) };
  });
  const show = () => {
    for (const { one, input } of inputs) {
      input.checked = read() === (one.value ?? one.name);
      if (input.checked) help.textContent = one.help;
    }
  };
  const group = { class: "pick", role: "radiogroup", "aria-label": spec.title };
  const node = h("div", { class: "pick-and-help" }, h("div", group, ...inputs.map((one) => one.node)), help);
  return { node, show };
};

/**
 * The list of classes, typed or from a file.
 * @type {Make<import("../wire.js").NamesField>}
 */
const names = (spec, read, write, ask) => {
  const area = h("textarea", { rows: 4, "aria-label": spec.title, spellcheck: "false" });
  const note = h("p", { class: "help", role: "status" });
  const put = draft(area);
  let model = "";
  /** @type {{text: string, names?: string[], problem?: string} | null} what the server reads */
  let found = null;
  const count = () => {
    const news = found?.text === area.value ? found : null;
    const said = news?.problem ? [news.problem] : review(area.value, spec.knows[model], news?.names ?? null);
    note.textContent = [...said, ...(said.length > 1 || news?.problem ? [] : [spec.help])].join(" ");
    if (area.value.trim()) look(area.value);
  };
  const look = onceStill(
    STILL,
    async (text) => ({ text, ...(await ask(text)) }),
    (reply) => {
      found = reply;
      count();
    },
  );
  const file = h("input", {
    type: "file",
    accept: ".txt,.csv,.tsv,.json,.names,.py,text/plain",
    hidden: true,
  });
  const load = h("button", { type: "button", text: "From a text file …", onclick: () => file.click() });
  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    if (chosen.size > CLASS_LIST.most * CLASS_LIST.longest) {
      note.textContent = `A list of classes is a small text file; “${chosen.name}” is too large.`;
      return;
    }
    const text = decoded(new Uint8Array(await chosen.arrayBuffer()));
    if (text === null) {
      note.textContent = `“${chosen.name}” is no text in UTF-8; save it as UTF-8 and choose it again.`;
      return;
    }
    area.value = text; // in the place of a draft, too
    write(area.value);
  });
  area.addEventListener("input", count);
  area.addEventListener("change", () => write(area.value));
  /** @param {Settings} settings */
  const show = (settings) => {
    model = settings.model;
    put(read() ?? "");
    area.placeholder = spec.placeholder[settings.source] ?? spec.placeholder[""];
    count();
  };
  return { node: h("div", { class: "names" }, area, note, load, file), show };
};

/**
 * On or off.
 * @type {Make<import("../wire.js").SwitchField>}
 */
const onOff = (spec, read, write) => {
  const input = h("input", { type: "checkbox" });
  input.addEventListener("change", () => write(input.checked));
  const show = () => {
    input.checked = Boolean(read());
  };
  return { node: h("label", { class: "tick" }, input, h("span", { text: spec.title })), show };
};

/** @type {Record<import("../wire.js").Field["kind"], Make<any>>} */
const MAKE = { number, choice, pick, names, switch: onOff };

/**
 * A control with its title and its help.
 * @param {import("../wire.js").Field} spec
 * @param {() => any} read the value there is
 * @param {(value: Value) => void} write
 * @param {Ask} [ask]
 * @returns {Control}
 */
export const control = (spec, read, write, ask = async () => null) => {
  const { node, show } = MAKE[spec.kind](spec, read, write, ask);
  const title = spec.kind !== "switch" && h("div", { class: "title", text: spec.title });
  return { node: h("div", { class: `field field-${spec.kind}` }, title, node), show };
};

/**
 * A field of the form: a control that hides where another setting makes it meaningless.
 * @param {import("../wire.js").Field} spec
 * @param {() => any} read
 * @param {(value: Value) => void} write
 * @param {Ask} ask
 * @returns {Control}
 */
export const field = (spec, read, write, ask) => {
  const { node, show } = control(spec, read, write, ask);
  node.dataset.field = spec.name;
  if (spec.kind === "number" && spec.help) node.append(h("p", { class: "help", text: spec.help }));
  return {
    node,
    show: (settings) => {
      show(settings);
      const holds = (/** @type {[string, "is" | "not", string]} */ [other, way, value]) =>
        (settings[other] === value) === (way === "is");
      node.hidden = spec.when.length > 0 && !spec.when.some(holds);
    },
  };
};

/**
 * A control for a knob of a method.
 * @param {import("../wire.js").Field} spec
 * @param {string} method
 * @param {() => any} read
 * @param {(value: Value) => void} write
 * @returns {Control}
 */
export const knob = (spec, method, read, write) => {
  const { node, show } = control({ ...spec, name: `${method}-${spec.name}` }, read, write);
  node.classList.add("knob");
  node.dataset.knob = spec.name;
  node.append(h("p", { class: "help", text: spec.help }));
  return { node, show };
};
