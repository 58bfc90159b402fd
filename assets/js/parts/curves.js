// Curves over the stream. props.options: the measures there are. What it draws: see views.curves.
const { h, s, format, mark, at, numbers } = cliptta;
const select = element.querySelector("select"), help = element.querySelector(".help"), svg = element.querySelector("svg");
const HEIGHT = 330, TOP = 14, BOTTOM = 30, LEFT = 44;
let width = 0, chosen = null, frame = 0, value = { methods: [], curves: {}, total: 0 };

const fits = (measure) => ({ labels: value.labelled, unknowns: value.unknowns })[measure.needs] ?? true;

const fillMenu = () => {
  const options = props.options.filter(fits);
  const names = options.map((one) => one.name).join();
  if (select.dataset.names !== names) {
    select.dataset.names = names;
    select.replaceChildren(...options.map((one) => h("option", { value: one.name, text: one.title })));
  }
  const fallback = (options.find((one) => one.needs === "labels") || options.find((one) => one.name === "changed") || options[0]).name;
  const name = options.some((one) => one.name === chosen) ? chosen : fallback;
  select.value = name;
  return options.find((one) => one.name === name);
};

const niceTop = (largest) => {
  if (!(largest > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5, 10].map((x) => x * unit).find((x) => x >= largest);
};
const scaleOf = (measure, lines) => {
  if (measure.kind === "share") return 1;
  if (measure.name === "effective_classes") return Math.max(1, value.classes);
  return niceTop(Math.max(0, ...lines.flat().filter(Number.isFinite)));
};

// Labels at the line ends, pushed apart so that none covers another.
const spread = (labels, gap, low, high) => {
  labels.sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; i++) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + gap);
  let limit = high;
  for (let i = labels.length - 1; i >= 0; i--, limit -= gap) labels[i].y = Math.max(low, Math.min(labels[i].y, limit));
  return labels;
};

const axes = (measure, top, x, y, right) => {
  const group = s("g", { class: "axes" });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const line = y(part * top);
    group.append(s("line", { x1: LEFT, x2: right, y1: line, y2: line, class: part ? "grid" : "base" }));
    const tick = part * top;
    const text = measure.kind === "share" ? `${100 * tick}%` : String(+tick.toPrecision(2));
    group.append(s("text", { x: LEFT - 8, y: line + 4, "text-anchor": "end", text }));
  }
  const total = Math.max(1, value.total), room = (right - LEFT) / 34, every = [1, 2, 4, 5, 10, 20, 25, 50, 100, 200].find((k) => total / k <= room) || 500;
  for (let step = every; step <= total; step += every)
    group.append(s("text", { x: x(step - 1), y: HEIGHT - 10, "text-anchor": "middle", text: step }));
  group.append(s("text", { x: right + 12, y: HEIGHT - 10, class: "unit", text: "batch" }));
  return group;
};

const points = (line, from, to, x, y) => {
  const out = [];
  for (let i = from; i <= to; i++) if (Number.isFinite(line[i])) out.push(`${x(i).toFixed(1)},${y(line[i]).toFixed(1)}`);
  return out.join(" ");
};

const draw = () => {
  if (!width) return;
  const measure = fillMenu();
  const lines = Object.fromEntries(Object.entries(value.curves[measure.name] || {}).map(([name, text]) => [name, numbers(text)]));
  help.textContent = measure.help;
  const longest = Math.max(7, ...value.methods.map((method) => method.title.length));
  const right = width - 12 - Math.min(width * 0.3, 7.1 * longest);
  const top = scaleOf(measure, Object.values(lines)), total = Math.max(2, value.total);
  const x = (i) => LEFT + 10 + ((right - LEFT - 10) * i) / (total - 1);
  const y = (v) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * Math.min(v, top)) / top;
  const count = Math.max(0, ...Object.values(lines).map((line) => line.length)), now = at(count);

  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(axes(measure, top, x, y, right));
  if (measure.name.startsWith("accuracy") && value.classes > 1) {
    const chance = y(1 / value.classes);
    svg.append(s("line", { x1: LEFT, x2: right, y1: chance, y2: chance, class: "chance" }));
    const below = HEIGHT - BOTTOM - chance > 13;
    svg.append(s("text", { x: LEFT + 6, y: chance + (below ? 12 : -5), class: "unit", text: "chance" }));
  }
  if (now < count - 1) svg.append(s("line", { x1: x(now), x2: x(now), y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor" }));
  const labels = [], said = [];
  for (const method of value.methods) {
    const line = lines[method.name] || [], style = `--c:${method.colour}`;
    const stroke = { class: "line", style, "stroke-dasharray": method.dash };
    svg.append(s("polyline", { ...stroke, class: "line later", points: points(line, now, line.length - 1, x, y) }));
    svg.append(s("polyline", { ...stroke, points: points(line, 0, now, x, y), "data-method": method.name }));
    let last = Math.min(now, line.length - 1);
    while (last >= 0 && !Number.isFinite(line[last])) last--;
    if (last < 0) continue;
    svg.append(mark(method, { transform: `translate(${x(last)} ${y(line[last])})` }));
    labels.push({ method, y: y(line[last]), value: line[last], x: x(last) });
    said.push(`${method.title} ${format(measure.kind, line[last])}`);
  }
  for (const label of spread(labels, 30, TOP + 8, HEIGHT - BOTTOM - 14)) {
    const style = `--c:${label.method.colour}`, left = Math.min(label.x + 12, right + 12);
    const title = label.method.title, fits = 7.4 * title.length < width - left;
    svg.append(s("text", { x: left, y: label.y - 2, class: "who", style, text: fits ? title : title.split(" ")[0] }));
    svg.append(s("text", { x: left, y: label.y + 12, class: "value", text: format(measure.kind, label.value) }));
  }
  svg.setAttribute("aria-label", `${measure.title} at batch ${now + 1}: ${said.join(", ") || "nothing yet"}.`);
  svg.dataset.frame = ++frame;
  hover = (event) => {
    if (count < 1) return;
    const place = ((event.clientX - svg.getBoundingClientRect().left) * width) / svg.clientWidth;
    const step = Math.max(0, Math.min(count - 1, Math.round(((place - LEFT - 10) * (total - 1)) / (right - LEFT - 10))));
    const rows = value.methods.map((m) => [m, m.title, (lines[m.name] || [])[step]]).sort((a, b) => (b[2] || 0) - (a[2] || 0));
    cliptta.showTip(event, `${measure.title}, batch ${step + 1}`, rows.map(([m, t, v]) => [m, t, format(measure.kind, v)]));
    svg.querySelector(".hair")?.remove();
    svg.append(s("line", { class: "hair", x1: x(step), x2: x(step), y1: TOP, y2: HEIGHT - BOTTOM }));
  };
};
let hover = () => {};
svg.addEventListener("pointermove", (event) => hover(event));
svg.addEventListener("pointerleave", () => { cliptta.hideTip(); svg.querySelector(".hair")?.remove(); });
select.addEventListener("change", () => { chosen = select.value; draw(); });
cliptta.onWidth(svg, (now) => { width = now; draw(); });
cliptta.on("step", element, draw);
cliptta.on("curves", element, (news) => { value = news; draw(); });
