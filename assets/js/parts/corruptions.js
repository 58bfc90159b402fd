// Nineteen tiles by family; a tile opens into its five severities. props.families: what there is, and what it means.
// The pictures come from the server, a sheet or a ladder at a time; those seen lately are kept here.
const { h } = cliptta;
const host = element.querySelector(".sheet"), aloud = element.querySelector(".unseen");
const KEPT = 40, kept = new Map();
const tiles = new Map();
let subject = null, open = null, level = 0, clean = "", drawn = "";

const name = () => subject.title || "picture";
const which = () => (subject.key ? { key: subject.key } : { object: subject.object, seed: subject.seed });
const get = async (kind, wanted) => {
  const key = JSON.stringify([kind, wanted]);
  if (!kept.has(key)) {
    const reply = await server[kind](wanted);
    if (reply.problem) throw new Error(reply.problem);
    kept.set(key, reply);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(key);
};
// Only the newest wish is fetched: `wish` says what is wanted now, `show` gets it unless the wish has changed.
const follower = (kind, wish, show) => {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    try {
      for (let wanted = wish(); wanted; ) {
        const reply = await get(kind, wanted);
        const now = wish();
        if (JSON.stringify(now) === JSON.stringify(wanted)) { show(reply, wanted); cliptta.emit("trouble", ""); break; }
        wanted = now;
      }
    } catch (error) {
      cliptta.emit("trouble", error instanceof Error && error.message ? error.message : "The server did not answer; please try again.");
    } finally {
      busy = false;
      host.removeAttribute("aria-busy");
    }
  };
};

// ---- one corruption at five severities, right below the row of its tile ----
const steps = [0, 1, 2, 3, 4, 5].map((severity) => {
  const image = h("img", { alt: "", width: 224, height: 224 });
  const words = h("span", { "aria-hidden": "true", text: severity || "as it is" });
  const node = severity
    ? h("button", { type: "button", class: "step", onclick: () => { level = severity; mark(); } }, image, words)
    : h("div", { class: "step" }, image, words);
  return { severity, image, node };
});
const heading = h("h4"), meaning = h("p", { class: "help" });
const take = h("button", { type: "button", class: "strong" });
const close = h("button", { type: "button", class: "close", "aria-label": "Close", text: "×" });
const ladder = h("li", { class: "ladder", id: "ct-ladder" }, h("div", { class: "inside", role: "group", "aria-label": "Five severities" },
  h("div", { class: "top" }, h("div", {}, heading, meaning), close), h("div", { class: "steps" }, ...steps.map((one) => one.node)),
  h("div", { class: "bottom" }, take)));

const mark = () => {
  for (const one of steps) if (one.severity) one.node.setAttribute("aria-pressed", String(one.severity === level));
  take.textContent = `Take ${open.title.toLowerCase().replace("jpeg", "JPEG")}, severity ${level}, to Play`;
};
const climb = follower("ladder", () => open && { ...which(), corruption: open.name }, (reply, wanted) => {
  steps[0].image.src = clean;
  steps[0].image.alt = `${name()}, as it is`;
  reply.tiles.forEach((source, k) => {
    steps[k + 1].image.src = source;
    steps[k + 1].image.alt = `${name()}, ${open.title}, severity ${k + 1}`;
  });
  ladder.classList.add("ready");
  aloud.textContent = `${open.title}: five severities below.`;
});
const unfold = (corruption) => {
  if (open) tiles.get(open.name).button.setAttribute("aria-expanded", "false");
  open = open === corruption ? null : corruption;
  if (!open) return ladder.remove();
  level = subject.severity;
  const { button, node } = tiles.get(open.name);
  button.setAttribute("aria-expanded", "true");
  heading.textContent = open.title;
  meaning.textContent = open.meaning;
  for (const one of steps) one.image.removeAttribute("src");
  ladder.classList.remove("ready");
  node.after(ladder);
  mark();
  climb();
};
const fold = () => { if (!open) return; const { button } = tiles.get(open.name); unfold(open); button.focus(); };
close.addEventListener("click", fold);
host.addEventListener("keydown", (event) => { if (event.key === "Escape") fold(); });
take.addEventListener("click", () => {
  // One corruption all along: the other schedules would mix it with what was not asked for.
  cliptta.emit("choose", { corruption: open.name, severity: level, schedule: "constant", lesson: "" });
  trigger("take");
});

// ---- all nineteen ----
const tile = (corruption) => {
  const image = h("img", { alt: corruption.title, width: 224, height: 224 }), id = `ct-means-${corruption.name}`;
  const button = h("button", { type: "button", "aria-expanded": "false", "aria-describedby": id, onclick: () => unfold(corruption) },
    image, h("span", { class: "called", "aria-hidden": "true", text: corruption.title }));
  const node = h("li", { class: "tile", "data-name": corruption.name }, button,
    corruption.extra ? h("span", { class: "extra", text: "extra" }) : null, h("p", { class: "help", id, text: corruption.meaning }));
  tiles.set(corruption.name, { corruption, image, button, node });
  return node;
};
host.append(...props.families.map((family) => h("section", { "data-family": family.name },
  h("h3", { text: family.title }, h("span", { text: family.meaning })), h("ul", {}, ...family.corruptions.map(tile)))));

const look = follower("sheet", () => ({ ...which(), severity: subject.severity }), (reply, wanted) => {
  for (const { corruption, image } of tiles.values()) {
    image.src = reply.tiles[corruption.name];
    image.alt = `${name()}, ${corruption.title}, severity ${wanted.severity}`;
  }
  clean = reply.clean;
  host.dataset.severity = wanted.severity;
  aloud.textContent = `All nineteen at severity ${wanted.severity}.`;
  cliptta.emit("untouched", { source: clean, title: name() });
  if (open) climb();
});
cliptta.on("subject", element, (news) => {
  subject = news;
  if (open) { level = subject.severity; mark(); }
  host.setAttribute("aria-busy", "true");
  look();
});
