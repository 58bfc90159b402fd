// Which picture the sheet shows and how severely. props.value: a visitor's own picture {key, title} or {problem};
// props.objects, props.severities, props.start. Says "subject" whenever anything changes.
const { h } = cliptta;
const image = element.querySelector("img"), blank = element.querySelector(".blank"), own = element.querySelector(".own");
const message = element.querySelector(".message"), keep = element.querySelector(".keep button");
let wanted = { ...props.start }, mine = null;

const tell = () => cliptta.emit("subject", mine ? { ...mine, severity: wanted.severity } : { ...wanted, title: wanted.object });
const change = (news) => { wanted = { ...wanted, ...news }; write(); tell(); };
const complain = (text) => { message.textContent = text || ""; message.hidden = !text; };

// ---- which one ----
const menu = h("select", { "aria-label": "Object" }, ...props.objects.map((name) => h("option", { value: name, text: name })));
const number = h("input", { type: "text", inputmode: "numeric", class: "box", "aria-label": "Picture number", title: "Picture number" });
const another = h("button", { type: "button", class: "quiet", text: "Another" });
menu.addEventListener("change", () => change({ object: menu.value }));
number.addEventListener("change", () => {
  const text = number.value.trim();
  if (/^\d{1,9}$/.test(text)) change({ seed: Number(text) });
  write();
});
another.addEventListener("click", () => change({ seed: wanted.seed + 1 }));
element.querySelector(".which").append(menu, h("span", { class: "no", "aria-hidden": "true", text: "no." }), number, another);

// ---- how severe ----
const levels = props.severities.map((level) => {
  const input = h("input", { type: "radio", name: "ct-severity", value: level });
  input.addEventListener("change", () => change({ severity: level }));
  return { level, input, node: h("label", {}, input, h("span", { text: level })) };
});
element.querySelector(".severe").append(
  h("div", { class: "pick", role: "radiogroup", "aria-labelledby": "ct-severe" }, ...levels.map((one) => one.node)),
  h("div", { class: "ends", "aria-hidden": "true" }, h("span", { text: "mild" }), h("span", { text: "severe" })));

const write = () => {
  menu.value = wanted.object;
  number.value = wanted.seed;
  for (const one of levels) one.input.checked = one.level === wanted.severity;
  for (const control of [menu, number, another]) control.disabled = Boolean(mine);
  own.hidden = !mine;
  own.textContent = mine ? `Yours: ${mine.title}` : "";
};

cliptta.on("untouched", element, ({ source, title }) => {
  image.src = source;
  image.alt = `${title}, as it is`;
  image.hidden = false;
  blank.hidden = true;
});
cliptta.on("trouble", element, complain);

// ---- the sheet as a file ----
keep.addEventListener("click", async () => {
  keep.disabled = true;
  try {
    const file = await server.keep(mine ? { ...mine, severity: wanted.severity } : wanted);
    complain(file.problem);
    if (file.data) cliptta.save(file.name, file.kind, cliptta.decode(file.data));
  } catch {
    complain("The server did not answer; please try again.");
  } finally {
    keep.disabled = false;
  }
});

watch("value", () => {
  const value = props.value || {};
  complain(value.problem);
  mine = value.key ? { key: value.key, title: value.title } : null;
  write();
  tell();
});
write();
tell();
