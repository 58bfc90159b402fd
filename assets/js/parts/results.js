// The table of results. What it draws: see views.results.
const { h, format, swatch, at, numbers } = cliptta;
const table = element.querySelector("table");
let value = { methods: [], columns: [], values: {} };

const draw = () => {
  const lines = value.columns.map((column) => value.methods.map((method) => numbers(value.values[column.name][method.name])));
  const step = at(Math.max(0, ...(lines[0] || []).map((line) => line.length)));
  const get = (column, method) => lines[value.columns.indexOf(column)][value.methods.indexOf(method)][step];
  const best = (column) => {
    const all = value.methods.map((m) => get(column, m)).filter(Number.isFinite);
    if (!column.better || all.length < 2 || column.kind === "seconds") return null;
    return column.better === "high" ? Math.max(...all) : Math.min(...all);
  };
  const before = value.methods.find((m) => m.name === "zero_shot");
  const cell = (column, method) => {
    const number = get(column, method), out = h("td", { text: format(column.kind, number) });
    if (method === before && (column.kind === "count" || column.name === "changed")) out.textContent = "";
    else if (Number.isFinite(number) && number === best(column)) out.classList.add("best");
    if (column.name === "accuracy" && before && method !== before && Number.isFinite(number))
      out.append(cliptta.points(number - get(column, before)));
    return out;
  };
  table.tHead.replaceChildren(h("tr", {}, h("th", { scope: "col", text: "Method" }),
    ...value.columns.map((column) => h("th", { scope: "col", title: column.help, text: column.title }))));
  table.tBodies[0].replaceChildren(...value.methods.map((method) =>
    h("tr", {}, h("th", { scope: "row" }, swatch(method), h("span", { text: method.title })),
      ...value.columns.map((column) => cell(column, method)))));
};
cliptta.on("step", element, draw);
cliptta.on("results", element, (news) => { value = news; draw(); });
draw();
