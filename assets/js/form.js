// The settings, built from tables the server sends. props.sections: fields; props.methods: cards with their knobs;
// props.value: {field: value, methods: {method: {knob: value}}}. Every value is checked again on the server.
const { h, swatch, format } = cliptta;
const writers = [];           // each writes the settings into one control
const kept = {};              // knobs of methods that are not chosen now
let settings = structuredClone(props.value), timer = null;

const changed = () => {
  settings = { ...settings, lesson: "" };
  props.value = structuredClone(settings);
  cliptta.emit("settings", settings);
  refresh();
};
const refresh = () => { writers.forEach((write) => write()); look(); };
const adopt = (news) => {
  settings = structuredClone({ ...settings, ...news });
  props.value = structuredClone(settings);
  cliptta.emit("settings", settings);
  refresh();
};

// A field in which somebody types keeps what is in it: an answer from the server must not erase half a word.
// -> what writes into it as long as nobody does
const draft = (field) => {
  let typing = false;
  field.addEventListener("input", () => { typing = true; });
  for (const end of ["change", "blur"]) field.addEventListener(end, () => { typing = false; });
  return (text) => { if (!typing) field.value = text; };
};

// ---- numbers: a slider and a box that accepts exact values ----
const plain = (x) => (x === 0 ? "0" : Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5 ? x.toExponential().replace("e-", "e-").replace("e+", "e") : String(+x.toPrecision(6)));
const TICKS = 300;
const slider = (spec) => {     // {low, high, log, whole} -> position and value
  const floor = spec.log ? (spec.low > 0 ? spec.low : spec.high * 1e-5) : spec.low;
  const tidy = (x) => (spec.whole ? Math.round(x) : +x.toPrecision(2));
  const toValue = (p) => {
    if (!spec.log) return spec.whole ? spec.low + p : +(spec.low + ((spec.high - spec.low) * p) / TICKS).toPrecision(3);
    return p === 0 ? spec.low : Math.min(spec.high, tidy(floor * (spec.high / floor) ** (p / TICKS)));
  };
  const toPosition = (x) => {
    if (!spec.log) return spec.whole ? x - spec.low : (TICKS * (x - spec.low)) / (spec.high - spec.low);
    return x <= spec.low ? 0 : Math.max(1, (TICKS * Math.log(x / floor)) / Math.log(spec.high / floor));
  };
  return { toValue, toPosition, last: spec.whole && !spec.log ? spec.high - spec.low : TICKS };
};
const numberControl = (spec, read, write) => {
  const map = slider(spec), words = spec.choices || [];
  const range = h("input", { type: "range", min: 0, max: map.last, step: spec.whole && !spec.log ? 1 : "any", "aria-label": spec.title });
  const box = h("input", { type: "text", inputmode: "decimal", class: "box", "aria-label": `${spec.title}, exact value` });
  const put = draft(box);
  range.addEventListener("input", () => write(map.toValue(Number(range.value))));
  box.addEventListener("change", () => {
    const text = box.value.trim(), number = Number(text);
    write(words.includes(text) ? text : text !== "" && Number.isFinite(number) ? number : text);
  });
  const toggles = words.map((word) => {
    const input = h("input", { type: "checkbox" });
    input.addEventListener("change", () => write(input.checked ? word : spec.fallback));
    return { word, input, node: h("label", { class: "tick small" }, input, h("span", { text: word })) };
  });
  writers.push(() => {
    const value = read(), number = typeof value === "number", text = number ? plain(value) : value ?? "";
    put(text);
    const [least, most] = spec.limits || [spec.low, spec.high];
    const fine = number ? value >= least && value <= most && (!spec.whole || Number.isInteger(value)) : words.includes(value);
    box.setAttribute("aria-invalid", String(!fine));
    box.title = fine ? "" : `${spec.whole ? "A whole number" : "A number"} from ${plain(least)} to ${plain(most)}`;
    range.disabled = !number;
    if (number) range.value = map.toPosition(value);
    range.setAttribute("aria-valuetext", text);
    range.style.setProperty("--at", `${(100 * Number(range.value)) / (map.last || 1)}%`);
    toggles.forEach((one) => { one.input.checked = value === one.word; });
  });
  return h("div", { class: "number" }, range, box, ...toggles.map((one) => one.node));
};

// ---- words ----
const choiceControl = (spec, read, write) => {
  const select = h("select", { "aria-label": spec.title }), groups = new Map();
  for (const one of spec.options) {
    const option = h("option", { value: one.name, text: one.title });
    if (!one.group) { select.append(option); continue; }
    if (!groups.has(one.group)) { groups.set(one.group, h("optgroup", { label: one.group })); select.append(groups.get(one.group)); }
    groups.get(one.group).append(option);
  }
  const other = spec.other ? h("textarea", { rows: spec.other.rows, class: "line", placeholder: spec.other.placeholder, "aria-label": `${spec.title}: ${spec.other.title}`, spellcheck: "false" }) : null;
  if (other) select.append(h("option", { value: "*", text: spec.other.title }));
  const help = h("p", { class: "help" }), put = other && draft(other);
  const own = () => {          // what is wrong with the lines typed, else what they are for
    const hole = spec.other.hole, lines = other.value.split("\n").map((line) => line.trim()).filter(Boolean);
    const bad = hole ? lines.findIndex((line) => line.split(hole).length !== 2) : -1;
    help.textContent = bad >= 0 ? `Each line must hold ${hole} once; “${lines[bad]}” does not.` : spec.help;
  };
  let typing = null;           // the value that holds until the one being typed is there
  select.addEventListener("change", () => {
    if (select.value !== "*") { typing = null; write(select.value); return; }
    typing = read();
    other.hidden = false;
    other.focus();
    own();
  });
  other?.addEventListener("input", own);
  other?.addEventListener("change", () => { if (other.value.trim()) write(other.value.trim()); });
  writers.push(() => {
    const value = read(), option = spec.options.find((one) => one.name === value);
    if (value === typing) return;
    typing = null;
    select.value = option ? value : other ? "*" : "";
    help.textContent = option?.help || "";
    if (!other) return;
    other.hidden = Boolean(option);
    if (!option) { put(value); own(); }
  });
  return h("div", { class: "choice" }, select, other, help);
};
const pickControl = (spec, read, write) => {
  const name = `pick-${spec.key || spec.name}`, help = h("p", { class: "help" });
  const inputs = spec.options.map((one) => {
    const input = h("input", { type: "radio", name });
    input.addEventListener("change", () => write(one.value ?? one.name));
    return { one, input, node: h("label", {}, input, h("span", { text: one.title })) };
  });
  writers.push(() => inputs.forEach(({ one, input }) => {
    input.checked = read() === (one.value ?? one.name);
    if (input.checked) help.textContent = one.help || "";
  }));
  return h("div", { class: "pick-and-help" }, h("div", { class: "pick", role: "radiogroup", "aria-label": spec.title }, ...inputs.map((one) => one.node)), help);
};
const listed = (names) => names.slice(0, 3).map((name) => `“${name}”`).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
const namesControl = (spec, read, write) => {
  const area = h("textarea", { rows: 4, "aria-label": spec.title, spellcheck: "false" });
  const note = h("p", { class: "help", role: "status" }), put = draft(area);
  const count = () => {
    const parts = area.value.replace(/[\s,]+$/, "").split(/[\n,]/).map((part) => part.trim());
    const names = parts.filter(Boolean), seen = new Set(), empty = parts.length - names.length;
    const twice = new Set(names.filter((name) => seen.size === seen.add(name).size));
    const long = names.filter((name) => name.length > spec.longest), said = [];
    if (names.length) said.push(names.length === 1 ? "1 class; at least two are needed." : `${seen.size} classes.`);
    if (twice.size) said.push(`Listed more than once: ${listed([...twice])}.`);
    if (names.length && empty) said.push(`${empty} empty ${empty === 1 ? "entry is" : "entries are"} passed over.`);
    const known = spec.knows[settings.model], words = names.join(" ").toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
    const strange = known ? [...new Set(words)].filter((word) => !known.includes(word)) : [];
    if (strange.length) said.push(`mini-CLIP does not know ${listed(strange)}: name rendered objects, or choose a larger CLIP above.`);
    if (names.length > spec.most) said.push(`At most ${spec.most.toLocaleString("en")} can be compared.`);
    if (long.length) said.push(`A name may have ${spec.longest} characters: ${listed(long.map((name) => name.slice(0, 20) + "…"))}.`);
    note.textContent = [...said, ...(said.length > 1 ? [] : [spec.help])].join(" ");
  };
  const file = h("input", { type: "file", accept: ".txt,.csv,.tsv,.json,.names,.py,text/plain", hidden: true });
  const load = h("button", { type: "button", text: "From a text file …", onclick: () => file.click() });
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    if (chosen.size > spec.most * spec.longest) { note.textContent = `A list of classes is a small text file; “${chosen.name}” is too large.`; return; }
    const bytes = new Uint8Array(await chosen.arrayBuffer());
    const encoding = bytes[0] === 0xFF && bytes[1] === 0xFE ? "utf-16le" : bytes[0] === 0xFE && bytes[1] === 0xFF ? "utf-16be" : "utf-8";
    let text;
    try { text = new TextDecoder(encoding, { fatal: true }).decode(bytes); } catch {
      note.textContent = `“${chosen.name}” is no text in UTF-8; save it as UTF-8 and choose it again.`;
      return;
    }
    area.value = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n").trim();   // in the place of a draft, too
    write(area.value);
  });
  area.addEventListener("input", count);
  area.addEventListener("change", () => write(area.value));
  writers.push(() => {
    put(read() ?? "");
    area.placeholder = spec.placeholder[settings.source] ?? spec.placeholder[""];
    count();
  });
  return h("div", { class: "names" }, area, note, load, file);
};
const switchControl = (spec, read, write) => {
  const input = h("input", { type: "checkbox" });
  input.addEventListener("change", () => write(input.checked));
  writers.push(() => { input.checked = Boolean(read()); });
  return h("label", { class: "tick" }, input, h("span", { text: spec.title }));
};
const CONTROLS = { number: numberControl, choice: choiceControl, pick: pickControl, names: namesControl, switch: switchControl };

const field = (spec) => {
  const read = () => settings[spec.name], write = (value) => { settings[spec.name] = value; changed(); };
  const out = h("div", { class: `field field-${spec.kind}`, "data-field": spec.name },
    spec.kind === "switch" ? null : h("div", { class: "title", text: spec.title }), CONTROLS[spec.kind](spec, read, write),
    spec.kind === "number" && spec.help ? h("p", { class: "help", text: spec.help }) : null);
  writers.push(() => { if (spec.when) out.hidden = (settings[spec.when[0]] === spec.when[2]) !== (spec.when[1] === "is"); });
  return out;
};

// ---- what the methods cost: as declared for the knobs they have ----
const costs = Object.fromEntries(props.methods.map((card) => [card.name, card.cost]));
let priced = "", pricing = null;
const price = () => {
  const wanted = JSON.stringify([settings.methods, settings.batch_size, settings.batches]);
  if (wanted === priced) return;
  priced = wanted;
  clearTimeout(pricing);
  pricing = setTimeout(async () => {
    const found = await server.costs(settings);
    if (wanted !== priced) return;
    Object.assign(costs, found);
    refresh();
  }, 150);
};
const total = h("p", { class: "help total", "aria-live": "polite" });
writers.push(() => {
  const chosen = Object.keys(settings.methods), sum = chosen.reduce((all, name) => all + (costs[name] || 0), 0);
  total.classList.remove("full");
  total.textContent = `${chosen.length} of at most ${props.most} methods, together about ${format("times", sum)} the work of zero-shot.`;
  price();
});
const room = () => Object.keys(settings.methods).length < props.most;
const tooMany = () => {
  total.classList.add("full");
  total.textContent = `At most ${props.most} methods run at once: take one out first, or let the Compare tab run all of them in turns.`;
};

// ---- methods: a tick each, their knobs behind "settings" ----
const knobField = (card, knob) => {
  const read = () => (settings.methods[card.name] || kept[card.name] || {})[knob.name] ?? knob.default;
  const write = (value) => {
    const target = settings.methods[card.name] || (kept[card.name] ||= {});
    target[knob.name] = value;
    changed();
  };
  const spec = { ...knob, key: `${card.name}-${knob.name}` };
  return h("div", { class: `field knob field-${knob.control}` }, knob.control === "switch" ? null : h("div", { class: "title", text: knob.title }),
    CONTROLS[knob.control](spec, read, write), h("p", { class: "help", text: knob.help }));
};
const presets = (card) => {
  if (!card.presets.length) return null;
  return h("div", { class: "presets" }, h("span", { text: "Set as:" }), ...card.presets.map((preset) => {
    const use = () => {
      if (!(card.name in settings.methods) && !room()) { tooMany(); return; }
      settings.methods[card.name] = structuredClone(preset.values);
      changed();
    };
    return h("button", { type: "button", text: preset.title, onclick: use });
  }));
};
const methodRow = (card) => {
  const input = h("input", { type: "checkbox", value: card.name });
  input.addEventListener("change", () => {
    if (input.checked && !room()) { input.checked = false; tooMany(); return; }
    if (input.checked) settings.methods[card.name] = kept[card.name] || {};
    else { kept[card.name] = settings.methods[card.name]; delete settings.methods[card.name]; }
    changed();
  });
  const brief = h("span", { class: "brief" }), cost = h("span", { class: "cost" }), costly = h("p", { class: "help" });
  writers.push(() => {
    cost.textContent = format("times", costs[card.name]);
    costly.textContent = `Takes about ${cost.textContent} the work of zero-shot CLIP${card.texts ? ", and encodes texts besides" : ""}.`;
    input.checked = card.name in settings.methods;
    const own = Object.entries(settings.methods[card.name] || {}).sort(([a], [b]) => (b === "steps") - (a === "steps"));
    brief.textContent = own.slice(0, 2).map(([name, value]) => (name === "steps" ? `${value} step${value === 1 ? "" : "s"}` : `${name} ${typeof value === "number" ? plain(value) : value}`)).join(", ");
  });
  const more = h("details", { class: "more" }, h("summary", { "aria-label": `About and settings of ${card.title}` }, brief, cost, h("i", { class: "gear", "aria-hidden": "true" })),
    h("p", { class: "about", text: card.summary }), costly, presets(card), ...card.knobs.map((knob) => knobField(card, knob)),
    h("p", { class: "cite", text: card.citation }));
  return h("div", { class: "method", "data-method": card.name }, h("label", { class: "tick" }, input, swatch(card), h("span", { text: card.title })), more);
};

// The three that the page is about stand in front; all others wait behind one line, by family, with a search.
const FRONT = ["zero_shot", "tent", "cliptta"];
const others = (cards) => {
  const line = h("summary"), search = h("input", { type: "text", placeholder: "Search", "aria-label": "Search methods" });
  const families = [...new Set(cards.map((card) => card.family))].map((family) =>
    h("div", { class: "family" }, h("div", { class: "title", text: family }), ...cards.filter((card) => card.family === family).map(methodRow)));
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    const fits = (card) => [card.name, card.title, card.family, card.summary].some((text) => text.toLowerCase().includes(wanted));
    cards.forEach((card) => { box.querySelector(`[data-method="${card.name}"]`).hidden = !fits(card); });
    families.forEach((family) => { family.hidden = !family.querySelector("[data-method]:not([hidden])"); });
  });
  const box = h("details", { class: "others" }, line, search, ...families);
  writers.push(() => {
    const chosen = cards.filter((card) => card.name in settings.methods).length;
    line.textContent = `${cards.length} more methods${chosen ? `, ${chosen} chosen` : ""}`;
  });
  return box;
};
const methods = () => {
  const front = FRONT.map((name) => props.methods.find((card) => card.name === name)).filter(Boolean);
  const rest = props.methods.filter((card) => !FRONT.includes(card.name));
  return [...front.map(methodRow), rest.length ? others(rest) : null, total];
};

// ---- the preview: one picture before and after the shift ----
const preview = h("div", { class: "preview" }, ...["as drawn", "as streamed"].map((text) =>
  h("figure", {}, h("img", { alt: `One picture, ${text}`, width: 96, height: 96 }), h("figcaption", { text }))));
let asked = "";
const look = () => {
  const wanted = JSON.stringify(["source", "style", "corruption", "severity", "schedule", "seed", "class_names"].map((name) => settings[name]));
  if (wanted === asked) return;
  asked = wanted;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const pictures = await server.preview(settings);
    if (wanted !== asked) return;
    preview.hidden = !pictures;
    (pictures || []).forEach((address, k) => { preview.querySelectorAll("img")[k].src = address; });
  }, 120);
};

const host = element.querySelector(".sections"), narrow = matchMedia("(max-width: 820px)").matches;
for (const section of props.sections) {
  const content = section.name === "methods" ? methods() : section.fields.map(field);
  if (section.name === "shift") content.unshift(preview);
  host.append(h("details", { class: "section", open: section.open && !narrow, "data-section": section.name },
    h("summary", { text: section.title }), ...content.filter(Boolean)));
}
cliptta.on("choose", element, adopt);
watch("value", () => adopt(props.value));  // the server may send only what changes
cliptta.emit("settings", settings);
refresh();
