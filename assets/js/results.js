// The table of results. props.value: see views.results.
const { h, format, swatch, at } = cliptta;
const table = element.querySelector("table");

const draw = () => {
  const value = props.value || { methods: [], columns: [], values: {} };
  const first = value.values[value.columns[0]?.name] || {};
  const step = at(Math.max(0, ...Object.values(first).map((line) => line.length)));
  const get = (column, method) => (value.values[column.name][method.name] || [])[step];
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
watch("value", draw);
draw();
