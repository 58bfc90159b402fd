// Predicted classes, one column of bars per method beside the true counts. What it draws: see views.classes.
const { h, s, format, mark, at, numbers, lines, recent } = cliptta;
const svg = element.querySelector("svg"), help = element.querySelector(".help");
const HEAD = 62, MOST_ROWS = 26;
let width = 0, rows = [], value = null;

// Long class lists: the classes that occur most, and one row for all others together.
const chooseRows = (value, columns) => {
  const all = value.classes.map((name, index) => ({ name, index }));
  if (all.length <= MOST_ROWS) return all;
  const most = (row) => Math.max(...columns.map((column) => column.get(row.index) || 0));
  const kept = [...all].sort((a, b) => most(b) - most(a)).slice(0, MOST_ROWS - 1);
  return [...kept.sort((a, b) => a.index - b.index), { name: `${all.length - kept.length} others`, index: -1 }];
};
const total = (column) => [...column.values()].reduce((a, b) => a + b, 0);
const countOf = (row, column, shown) => {
  if (row.index >= 0) return column.get(row.index) || 0;
  return total(column) - shown.reduce((sum, other) => sum + (other.index >= 0 ? column.get(other.index) || 0 : 0), 0);
};
const shorten = (text, pixels) => {
  const room = Math.max(3, Math.floor(pixels / 6.4));
  return text.length > room ? text.slice(0, room - 1) + "…" : text;
};

const header = (method, left, size, used, classes) => {
  const style = `--c:${method.colour}`, bar = size - 14, part = Math.max(0, Math.min(1, (used || 0) / classes));
  const narrow = size < 110;
  const group = s("g", { transform: `translate(${left} 0)`, class: "head" });
  if (!narrow) group.append(mark(method, { transform: "translate(5 10)" }));
  const title = method.title.length * 7.5 > bar - (narrow ? 0 : 15) ? method.title.split(/\s/).find((part) => part.length > 3) || method.title : method.title;
  group.append(s("text", { x: narrow ? 0 : 15, y: 14, class: "who", style, text: shorten(title, size - (narrow ? 8 : 20)) }));
  const number = s("tspan", { class: "big", text: !Number.isFinite(used) ? "–" : used.toFixed(1) });
  group.append(s("text", { x: 0, y: 35 }, number, s("tspan", { class: "unit", dx: 4, text: narrow ? `/ ${classes}` : `of ${classes} in use` })));
  group.append(s("rect", { x: 0, y: 43, width: bar, height: 5, rx: 2.5, class: "track" }));
  group.append(s("rect", { x: 0, y: 43, width: Math.max(2, bar * part), height: 5, rx: 2.5, class: "fill", style, "data-gauge": method.name }));
  return group;
};

const draw = () => {
  if (!width || !value || !value.methods.length) return;
  const there = lines(value.truth), step = at(there.length);
  const columns = value.methods.map((method) => recent(lines(value.counts[method.name]), step, value.window));
  const effective = value.methods.map((method) => numbers(value.effective[method.name])[step]);
  const truth = recent(there, step, value.window), pictures = Math.max(1, ...columns.map(total));
  rows = chooseRows(value, [...columns, truth]);
  const line = rows.length > 22 ? 15 : Math.min(22, Math.max(14, Math.floor(300 / rows.length)));
  const names = Math.min(width < 460 ? 84 : 118, 14 + 6.6 * Math.max(...rows.map((row) => row.name.length)));
  const size = (width - names - 4) / columns.length, bar = size - 16;
  const even = pictures / Math.max(1, value.classes.length), most = Math.max(4 * even, 1);
  const long = (number) => (bar * Math.min(number, most)) / most;
  const height = HEAD + rows.length * line + 4;

  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  svg.replaceChildren();
  rows.forEach((row, i) => {
    const y = HEAD + i * line;
    svg.append(s("text", { x: names - 10, y: y + line / 2 + 4, "text-anchor": "end", class: "name", text: shorten(row.name, names - 12) }));
  });
  value.methods.forEach((method, k) => {
    const left = names + k * size;
    svg.append(header(method, left, size, effective[k], value.classes.length));
    svg.append(s("line", { x1: left, x2: left, y1: HEAD - 2, y2: height - 2, class: "base" }));
    rows.forEach((row, i) => {
      const y = HEAD + i * line + 1.5, number = countOf(row, columns[k], rows), real = countOf(row, truth, rows);
      if (number) svg.append(s("rect", { x: left + 0.5, y, width: long(number), height: line - 3, class: "fill", style: `--c:${method.colour}` }));
      if (number > most && bar > 30) svg.append(s("text", { x: left + bar - 4, y: y + line / 2 + 2, "text-anchor": "end", class: "inside", text: `${number} »` }));
      if (value.labelled && real) svg.append(s("line", { x1: left + long(real), x2: left + long(real), y1: y - 0.5, y2: y + line - 2.5, class: "truth" }));
    });
  });
  const past = Math.min(value.window, step + 1), when = past === 1 ? "in this batch" : `in the last ${past} batches`;
  help.textContent = `How often each class was predicted ${when}.` + (value.labelled ? " A thin mark shows how often it was really there." : "");
  svg.setAttribute("aria-label", "Classes in use: " + value.methods.map((m, k) =>
    `${m.title} ${format("number", effective[k])} of ${value.classes.length}`).join(", ") + ".");
  hover = (event) => {
    const box = svg.getBoundingClientRect(), i = Math.floor((event.clientY - box.top - HEAD) / line);
    if (i < 0 || i >= rows.length) return cliptta.hideTip();
    const said = value.methods.map((m, k) => [m, m.title, String(countOf(rows[i], columns[k], rows))]);
    if (value.labelled) said.unshift([null, "really there", String(countOf(rows[i], truth, rows))]);
    cliptta.showTip(event, rows[i].name, said);
  };
};
let hover = () => {};
svg.addEventListener("pointermove", (event) => hover(event));
svg.addEventListener("pointerleave", cliptta.hideTip);
cliptta.onWidth(svg, (now) => { width = now; draw(); });
cliptta.on("step", element, draw);
cliptta.on("classes", element, (news) => { value = news; draw(); });
