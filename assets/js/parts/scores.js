// Scores of known (upwards) and unknown (downwards) pictures around the threshold. What it draws: see views.scores.
const { h, s, format, mark, at, numbers, lines } = cliptta;
const figure = element.querySelector("figure"), svg = element.querySelector("svg");
const ROW = 118, BINS = 28, HALF = 40, PAST = 16;  // PAST: earlier thresholds that are still marked
let width = 0, value = null;

const gather = (text, step, window) => lines(text).slice(Math.max(0, step - window + 1), step + 1).flatMap(numbers);
const bin = (values, low, high) => {
  const heights = new Array(BINS).fill(0);
  for (const v of values) heights[Math.max(0, Math.min(BINS - 1, Math.floor(((v - low) / (high - low)) * BINS)))]++;
  return heights.map((count) => count / Math.max(1, values.length));
};
const outline = (heights, x, base, unit) => {
  let path = `M${x(0)} ${base}`;
  heights.forEach((height, i) => { path += `V${(base - unit * height).toFixed(1)}H${x(i + 1).toFixed(1)}`; });
  return path + `V${base}Z`;
};

const panel = (value, method, step, top) => {
  const known = gather(value.known[method.name], step, value.window), unknown = gather(value.unknown[method.name], step, value.window);
  const thresholds = numbers(value.threshold[method.name]), threshold = thresholds[step], all = [...known, ...unknown].sort((a, b) => a - b);
  const group = s("g", { transform: `translate(0 ${top})` });
  const left = 4, right = width - (width < 460 ? 96 : 170), base = 58, style = `--c:${method.colour}`;
  group.append(mark(method, { transform: "translate(9 9)" }), s("text", { x: 19, y: 13, class: "who", style, text: method.title }));
  if (all.length < 2) return group;
  let low = all[Math.floor(0.01 * all.length)], high = all[Math.ceil(0.99 * all.length) - 1];
  if (Number.isFinite(threshold)) { low = Math.min(low, threshold); high = Math.max(high, threshold); }
  if (!(high > low)) { low -= 0.5; high += 0.5; }
  const x = (i) => left + ((right - left) * i) / BINS, upper = bin(known, low, high), lower = bin(unknown, low, high);
  const unit = HALF / Math.max(...upper, ...lower, 1e-9);
  group.append(s("path", { d: outline(upper, x, base, unit), class: "fill", style }));
  group.append(s("path", { d: outline(lower, x, base, -unit), class: "unknown" }));
  group.append(s("line", { x1: left, x2: right, y1: base, y2: base, class: "base" }));
  group.append(s("text", { x: right, y: 30, "text-anchor": "end", class: "unit", text: "known" }));
  group.append(s("text", { x: right, y: 100, "text-anchor": "end", class: "unit", text: "unknown" }));
  const at = (score) => left + ((right - left) * Math.max(0, Math.min(1, (score - low) / (high - low))));
  thresholds.slice(Math.max(0, step - PAST), step).filter(Number.isFinite).forEach((earlier, i, all) => {
    group.append(s("line", { x1: at(earlier), x2: at(earlier), y1: base - 5, y2: base + 5, class: "earlier", opacity: (i + 1) / (all.length + 1) }));
  });
  if (Number.isFinite(threshold)) group.append(s("line", { x1: at(threshold), x2: at(threshold), y1: 16, y2: base + HALF + 4, class: "threshold" }));
  const side = right + 18, auroc = numbers(value.auroc[method.name])[step], fpr95 = numbers(value.fpr95[method.name])[step];
  group.append(s("text", { x: side, y: 46, class: "big", text: format("share", auroc) }), s("text", { x: side, y: 61, class: "unit", text: "AUROC" }));
  group.append(s("text", { x: side, y: 82, class: "value", text: format("share", fpr95) }), s("text", { x: side, y: 96, class: "unit", text: "FPR95" }));
  return group;
};

const draw = () => {
  figure.hidden = !value;
  if (!width || !value) return;
  const step = at(Math.max(...Object.values(value.known).map((text) => lines(text).length)));
  const height = ROW * value.methods.length;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  svg.replaceChildren(...value.methods.map((method, k) => panel(value, method, step, k * ROW)));
  svg.setAttribute("aria-label", "Known against unknown: " + value.methods.map((m) =>
    `${m.title} AUROC ${format("share", numbers(value.auroc[m.name])[step])}, FPR95 ${format("share", numbers(value.fpr95[m.name])[step])}`).join("; ") + ".");
  hover = (event) => {
    const method = value.methods[Math.floor((event.clientY - svg.getBoundingClientRect().top) / ROW)];
    if (!method) return cliptta.hideTip();
    const get = (key) => numbers(value[key][method.name])[step];
    cliptta.showTip(event, `${method.title}, batch ${step + 1}`, [
      [null, "AUROC", format("share", get("auroc"))], [null, "FPR95", format("share", get("fpr95"))],
      [null, "threshold", format("number", get("threshold"))], [null, "accepted", format("share", get("accepted"))]]);
  };
};
let hover = () => {};
svg.addEventListener("pointermove", (event) => hover(event));
svg.addEventListener("pointerleave", cliptta.hideTip);
cliptta.onWidth(figure.parentElement, (now) => { width = now - 40; draw(); });
cliptta.on("step", element, draw);
cliptta.on("scores", element, (news) => { value = news; draw(); });
draw();
