// The batch being looked at: each picture with its answer before and after. What it draws: see views.gallery.
const { h, swatch, numbers } = cliptta;
const title = element.querySelector("h3"), help = element.querySelector(".help"), grid = element.querySelector("ul");
const choose = element.querySelector(".choose"), filter = element.querySelector(".filter");
const seen = new Map();  // batches of this run that passed by, for the timeline
let chosen = null, kept = "all", shown = null, latest = null;

const word = (value, index) => (index >= 0 ? value.classes[index] : "unknown");
const FILTERS = { all: () => true, changed: (t) => t.before !== t.after, gained: (t) => !t.wasRight && t.isRight, lost: (t) => t.wasRight && !t.isRight };

const tiles = (value, method) => {
  const labels = numbers(value.labels), unknown = numbers(value.unknown), before = numbers(value.answers.zero_shot);
  const after = numbers(value.answers[method]), sure = numbers(value.sure[method]), accepted = numbers(value.accepted[method]);
  return before.map((_, i) => ({
    i, label: labels[i], unknown: unknown[i] === 1, before: before[i], after: after[i], sure: sure[i], accepted: accepted[i] === 1,
    judged: labels[i] >= 0, wasRight: labels[i] >= 0 && labels[i] === before[i], isRight: labels[i] >= 0 && labels[i] === after[i],
  }));
};

const describe = (value, tile, method) => {
  const rows = [[null, "zero-shot CLIP", word(value, tile.before)], [method, method.title, `${word(value, tile.after)}, ${tile.sure}% sure`]];
  if (tile.judged) rows.unshift([null, "really", word(value, tile.label)]);
  if (tile.unknown) rows.unshift([null, "really", "outside the class list"]);
  if (value.applied[tile.i]) rows.push([null, "applied", value.applied[tile.i].replaceAll("_", " ")]);
  return rows;
};

const picture = (value, tile, method, marksUnknown) => {
  const columns = value.columns, lines = Math.ceil(value.names.length / columns);
  const place = (i, n) => (n > 1 ? (100 * i) / (n - 1) : 0) + "%";
  const image = h("div", { class: "pic", role: "img", "aria-label":
    describe(value, tile, method).map(([, who, what]) => `${who}: ${what}`).join("; ") });
  image.style.backgroundImage = `url("${address(value)}")`;
  image.style.backgroundSize = `${100 * columns}% ${100 * lines}%`;
  image.style.backgroundPosition = `${place(tile.i % columns, columns)} ${place(Math.floor(tile.i / columns), lines)}`;
  const flip = tile.judged && tile.wasRight !== tile.isRight ? (tile.isRight ? "gained" : "lost") : tile.judged ? (tile.isRight ? "right" : "wrong") : "open";
  const changed = tile.before !== tile.after;
  const sign = tile.judged ? h("span", { class: "sign", "aria-hidden": "true", text: tile.isRight ? "✓" : "✕" }) : null;
  const gate = marksUnknown ? h("span", { class: "gate", "aria-hidden": "true", text: tile.accepted ? "in" : "out" }) : null;
  const out = h("li", { class: `${flip}${tile.unknown ? " stranger" : ""}` }, h("div", { class: "frame" }, image, sign, gate),
    h("span", { class: "is", text: word(value, tile.after) }),
    h("span", { class: "was", text: changed ? word(value, tile.before) : "" }));
  out.addEventListener("pointermove", (event) => cliptta.showTip(event, value.names[tile.i] || `Picture ${tile.i + 1}`, describe(value, tile, method)));
  out.addEventListener("pointerleave", cliptta.hideTip);
  return out;
};

const buttons = (host, entries, active, pick) => host.replaceChildren(...entries.map(([name, ...content]) =>
  h("button", { type: "button", "aria-pressed": String(name === active), onclick: () => { pick(name); draw(); } }, ...content)));

const draw = () => {
  const value = shown;
  element.querySelector("figure").hidden = !value;
  if (!value) return;
  const others = value.methods.filter((m) => m.name !== "zero_shot"), list = others.length ? others : value.methods;
  const method = list.find((m) => m.name === chosen) || list[list.length - 1];
  const all = tiles(value, method.name), judged = all.some((t) => t.judged), strangers = all.some((t) => t.unknown);
  const names = judged ? ["all", "changed", "gained", "lost"] : ["all", "changed"];
  if (!names.includes(kept)) kept = "all";
  title.textContent = `Batch ${value.step}: what ${method.title} answers`;
  help.textContent = judged ? "Struck through: the answer of zero-shot CLIP, where it was another." : "No labels, so no marks. Struck through: the answer of zero-shot CLIP, where it was another.";
  buttons(choose, list.map((m) => [m.name, swatch(m), h("span", { text: m.title })]), method.name, (name) => { chosen = name; });
  buttons(filter, names.map((name) => [name, h("span", { text: `${name} ${all.filter(FILTERS[name]).length}` })]), kept, (name) => { kept = name; });
  const some = all.filter(FILTERS[kept]);
  grid.replaceChildren(...(some.length ? some.map((tile) => picture(value, tile, method, strangers)) : [h("li", { class: "none", text: "None in this batch." })]));
};
// Its many tiles are a quarter of all drawing: off the screen it waits until it comes there or no more batches come.
const PATIENCE = 3000;
let onScreen = true, later = 0;
const drawWhenSeen = () => {
  clearTimeout(later);
  if (onScreen) draw();
  else later = setTimeout(draw, PATIENCE);
};
new IntersectionObserver((changes) => {
  onScreen = changes.at(-1).isIntersecting;
  if (onScreen) drawWhenSeen();
}).observe(element);
const follow = () => {
  const step = cliptta.wanted ?? null;
  shown = (step !== null && seen.get(step + 1)) || latest;
  drawWhenSeen();
};
// A short address for the sheet: every tile names it, and the browser reads a long one again for each.
const address = (value) =>
  (value.sheet ??= URL.createObjectURL(new Blob([cliptta.decode(value.sprite.split(",")[1])], { type: "image/jpeg" })));
const forget = (step) => {
  if (seen.get(step)?.sheet) URL.revokeObjectURL(seen.get(step).sheet);
  seen.delete(step);
};
cliptta.on("gallery", element, (news) => {
  if (!seen.has(news.step - 1)) [...seen.keys()].forEach(forget);
  forget(news.step);
  forget(news.step - 40);
  latest = { ...news };
  seen.set(news.step, latest);
  follow();
});
cliptta.on("step", element, (step) => { cliptta.wanted = step; follow(); });
follow();
