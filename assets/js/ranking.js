// Every method in turn on one stream: the table that fills in, a picture of it, and the buttons.
// props.value: see compare_tab.view; props.methods: cards; props.knobs: how each method may be set.
const { h, s, format, mark, swatch } = cliptta;
const find = (what) => element.querySelector(what);
const start = find("[data-do=start]"), stop = find("[data-do=stop]"), csv = find("[data-do=csv]");
const stream = find(".stream"), message = find(".message"), progress = find(".progress"), doing = find(".doing");
const said = find(".said"), aloud = find("[aria-live]"), table = find("table"), map = find(".map"), svg = find("svg");
const cards = new Map(props.methods.map((card) => [card.name, card]));
const taking = new Set(cards.keys());           // methods that are ticked
const standings = new Map();                    // what is known of each, by name
let view = { state: "idle", rows: [] }, knobs = props.knobs[0].name, settings = null, width = 0, asked = "";

const COLUMNS = props.columns.map((one) => ({ ...one, title: one.short || one.title, bar: one.bar && (() => (one.full === "classes" ? view.classes : 1)) }));
const going = ({ state }) => ["running", "stopping"].includes(state);
const busy = () => going(view);
const whole = (one) => Boolean(one.done) && one.done === one.total;
const row = (name) => standings.get(name) || {};
const known = (column) => column.name === "cost" || column.name === "accuracy" || [...standings.values()].some((one) => Number.isFinite(one[column.name]));

// ---- how the methods are set ----
const help = find(".about .help"), how = find(".how");
const picks = props.knobs.map((one) => {
  const input = h("input", { type: "radio", name: "ct-knobs" });
  input.addEventListener("change", () => { knobs = one.name; write(); });
  return { one, input, node: h("label", {}, input, h("span", { text: one.title })) };
});
how.append(h("div", { class: "title", id: "ct-how", text: "Hyper-parameters" }),
  h("div", { class: "pick", role: "radiogroup", "aria-labelledby": "ct-how" }, ...picks.map((one) => one.node)));
const write = () => {
  for (const { one, input } of picks) {
    input.checked = one.name === knobs;
    if (input.checked) help.textContent = one.help;
  }
  start.disabled = busy() || !taking.size;
  stop.disabled = view.state !== "running";
  start.textContent = taking.size === cards.size ? `Compare all ${cards.size}` : `Compare ${taking.size}`;
  csv.disabled = !standings.size;
};

// ---- the table: the best first, then those whose turn is to come ----
const order = () => [...view.rows.map((one) => one.name), ...[...cards.keys()].filter((name) => !standings.has(name))];
const cell = (column, name) => {
  const one = row(name), value = column.name === "cost" ? cards.get(name).cost : one[column.name];
  const out = h("td", { "data-column": column.name }, h("span", { class: "value", text: format(column.kind, value) }));
  const frozen = row("zero_shot").accuracy;   // comparable over the whole stream only
  if (column.name === "accuracy" && name !== "zero_shot" && whole(one) && whole(row("zero_shot")) && Number.isFinite(frozen))
    out.append(cliptta.points(value - frozen));
  if (column.bar && Number.isFinite(value)) {
    const fill = h("i", { class: "fill", style: `--c:${cards.get(name).colour}` });
    fill.style.width = `${(100 * Math.max(0, Math.min(1, value / column.bar()))).toFixed(1)}%`;
    out.append(h("i", { class: "track", "aria-hidden": "true" }, fill));
  }
  return out;
};
const line = (name, place) => {
  const card = cards.get(name), one = row(name);
  const tick = h("input", { type: "checkbox", "aria-label": `${card.title} takes part` });
  tick.checked = taking.has(name);
  tick.disabled = busy();
  tick.addEventListener("change", () => { if (tick.checked) taking.add(name); else taking.delete(name); write(); });
  const watchIt = h("button", { type: "button", class: "name", title: `Watch ${card.title} in Play`, onclick: () => {
    const chosen = settings?.methods || {}, room = name in chosen || Object.keys(chosen).length < props.most;
    cliptta.emit("choose", { methods: { ...(room ? chosen : { zero_shot: {} }), [name]: chosen[name] || {} }, lesson: "" });
    trigger("watch");
  } }, swatch(card), h("span", { text: card.title }));
  const partly = one.done && !whole(one) ? `${busy() ? "batch" : "stopped after"} ${one.done} of ${one.total}` : "";
  const note = one.problem || partly || card.family;
  const marks = `${one.problem ? "failed" : ""}${busy() && one.done < one.total ? " now" : ""}${standings.has(name) ? "" : " open"}`;
  return h("tr", { "data-name": name, class: marks.trim() || null },
    h("td", { class: "tick" }, tick), h("td", { class: "place", text: whole(one) && Number.isFinite(one.accuracy) ? place : "" }),
    h("th", { scope: "row" }, watchIt, h("span", { class: "note", text: note })), ...COLUMNS.filter(known).map((column) => cell(column, name)));
};
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const fillTable = () => {
  const body = table.tBodies[0], before = new Map([...body.rows].map((tr) => [tr.dataset.name, tr.offsetTop]));
  table.tHead.replaceChildren(h("tr", {}, h("th", { class: "tick" }, h("span", { class: "unseen", text: "Takes part" })), h("th", { text: "" }),
    h("th", { scope: "col", text: "Method" }), ...COLUMNS.filter(known).map((column) => h("th", { scope: "col", title: column.help, text: column.title }))));
  const focused = document.activeElement?.closest?.("tr")?.dataset.name, kind = document.activeElement?.type;
  body.replaceChildren(...order().map((name, k) => line(name, k + 1)));
  if (focused) body.querySelector(`tr[data-name="${focused}"] ${kind === "checkbox" ? "input" : ".name"}`)?.focus({ preventScroll: true });
  if (still) return;
  for (const tr of body.rows) {   // those that change places walk there
    const from = before.get(tr.dataset.name) - tr.offsetTop;
    if (from) tr.animate([{ transform: `translateY(${from}px)` }, { transform: "none" }], { duration: 350, easing: "ease-out" });
  }
};

// ---- the picture: accuracy against classes in use ----
const HEIGHT = 330, TOP = 14, BOTTOM = 44, LEFT = 46;
const drawMap = () => {
  const rows = view.rows.map((one) => ({ ...one, ...one.numbers })).filter((one) => Number.isFinite(one.accuracy) && Number.isFinite(one.effective_classes));
  map.hidden = !rows.length;
  if (!width || !rows.length) return;
  const right = width - 12, classes = Math.max(2, view.classes);
  const x = (value) => LEFT + ((right - LEFT) * Math.min(value, classes)) / classes;
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(s("rect", { x: x(0), y: TOP, width: x(classes / 2) - x(0), height: HEIGHT - BOTTOM - TOP, class: "zone" }),
    s("text", { x: x(0) + 8, y: TOP + 16, class: "unit", text: "less than half of the classes" }));
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(s("line", { x1: LEFT, x2: right, y1: y(part), y2: y(part), class: part ? "grid" : "base" }));
    svg.append(s("text", { x: LEFT - 8, y: y(part) + 4, "text-anchor": "end", text: `${100 * part}%` }));
    const label = part === 1 ? classes : +(part * classes).toPrecision(3);
    svg.append(s("text", { x: x(part * classes), y: HEIGHT - BOTTOM + 16, "text-anchor": part === 1 ? "end" : "middle", text: label }));
  }
  svg.append(s("text", { x: right, y: HEIGHT - 8, "text-anchor": "end", class: "unit", text: `classes in use, of ${classes}` }));
  const frozen = rows.find((one) => one.name === "zero_shot");
  if (frozen) svg.append(
    s("line", { x1: LEFT, x2: right, y1: y(frozen.accuracy), y2: y(frozen.accuracy), class: "chance" }),
    s("line", { x1: x(frozen.effective_classes), x2: x(frozen.effective_classes), y1: TOP, y2: HEIGHT - BOTTOM, class: "chance" }));
  const places = [...rows].reverse().map((one) => ({ one, card: cards.get(one.name), px: x(one.effective_classes), py: y(one.accuracy) }));
  for (const { card, px, py } of places) svg.append(mark(card, { transform: `translate(${px.toFixed(1)} ${py.toFixed(1)}) scale(1.35)` }));
  // Names where there is room for them: the best first, so that it is the others that go without.
  const taken = places.map(({ px, py }) => ({ left: px - 7, right: px + 7, top: py - 7, bottom: py + 7, own: px }));
  for (const { card, px, py } of [...places].reverse()) {
    const size = 7.2 * card.title.length;
    const tries = [[px + 10, py + 4], [px - 10 - size, py + 4], [px - size / 2, py - 11], [px - size / 2, py + 20]];
    const free = tries.map(([left, base]) => ({ left, right: left + size, top: base - 11, bottom: base + 4, base }))
      .find((box) => box.left > LEFT && box.right < right + 4 && box.top > 0 && box.bottom < HEIGHT - BOTTOM &&
        !taken.some((other) => box.left < other.right && box.right > other.left && box.top < other.bottom && box.bottom > other.top));
    if (!free) continue;
    taken.push(free);
    svg.append(s("text", { x: free.left, y: free.base, class: "who", style: `--c:${card.colour}`, text: card.title }));
  }
  svg.setAttribute("aria-label", "Accuracy and classes in use: " + rows.map((one) =>
    `${cards.get(one.name).title} ${format("share", one.accuracy)}, ${format("number", one.effective_classes)}`).join("; ") + ".");
  hover = (event) => {
    const box = svg.getBoundingClientRect(), far = ({ px, py }) => Math.hypot(event.clientX - box.left - px, event.clientY - box.top - py);
    const nearest = places.reduce((best, one) => (far(one) < far(best) ? one : best));
    if (far(nearest) > 40) return cliptta.hideTip();
    cliptta.showTip(event, nearest.card.title, [[nearest.card, "right", format("share", nearest.one.accuracy)],
      [null, `of ${classes} classes in use`, format("number", nearest.one.effective_classes)]]);
  };
};
let hover = () => {};
svg.addEventListener("pointermove", (event) => hover(event));
svg.addEventListener("pointerleave", cliptta.hideTip);
cliptta.onWidth(svg, (now) => { width = now; drawMap(); });

// ---- all of it ----
const draw = () => {
  const share = busy() ? view.share || 0 : 0;
  progress.hidden = !busy();
  progress.firstElementChild.style.width = `${100 * share}%`;
  progress.setAttribute("aria-valuenow", Math.round(100 * share));
  const recorded = view.state === "recorded" ? `A recorded comparison: ${view.stream}` : view.stream;
  doing.textContent = busy() ? [view.doing || "Starting", `${view.finished || 0} of ${(view.methods || []).length} methods done`].join(" · ") : recorded || "";
  said.textContent = view.sentence || "";
  said.hidden = !view.sentence;
  write();
  fillTable();
  drawMap();
};
let open = false;  // from a press of Compare to its end: what was sent before Stop may arrive after the end
watch("value", () => {
  const news = props.value || {};
  if (going(news) && !open) return;
  open = open && going(news);
  message.textContent = news.message || "";
  message.hidden = !news.message;
  view = { ...view, ...news };
  standings.clear();
  for (const one of view.rows || []) standings.set(one.name, { ...one, ...one.numbers });
  if (["done", "stopped"].includes(view.state)) aloud.textContent = view.sentence || "";
  draw();
});
start.addEventListener("click", () => {
  open = true;
  view = { ...view, state: "running", share: 0, finished: 0, doing: "", methods: [...taking], rows: [], sentence: "" };
  standings.clear();
  draw();
  trigger("start", { methods: [...taking], knobs });
});
stop.addEventListener("click", () => { view = { ...view, state: "stopping" }; write(); trigger("stop"); });
csv.addEventListener("click", () => {
  const names = [...props.columns.map((one) => one.name).filter((name) => name !== "cost"), "problem"];
  const quote = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = view.rows.map((one) => [one.name, one.done, one.total, ...names.map((name) => ({ ...one, ...one.numbers })[name] ?? "")].map(String).map(quote).join(","));
  cliptta.save("comparison.csv", "text/csv", new TextEncoder().encode([["method", "batches", "of", ...names].join(","), ...lines, ""].join("\n")));
});
// The stream is the one set up in Play.
cliptta.on("settings", element, (news) => {
  settings = news;
  const wanted = JSON.stringify(news);
  if (wanted === asked) return;
  asked = wanted;
  setTimeout(async () => {
    if (wanted !== asked) return;
    const words = await server.describe(news);
    if (wanted === asked) stream.textContent = words ? `The stream set up in Play: ${words}` : "The settings in Play are not possible as they are.";
  }, 200);
});
view = { ...view, ...(props.value || {}) };
for (const one of view.rows || []) standings.set(one.name, { ...one, ...one.numbers });
draw();
