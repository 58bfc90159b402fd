// What all pictures share: making elements, writing numbers, the tip under the pointer, and a small notice board.
// Text from visitors enters the page through textContent and setAttribute only.
window.cliptta = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const DASH = "–";

  const fill = (node, attributes, children) => {
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "text") node.textContent = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children || []) if (child) node.append(child);
    return node;
  };
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  const share = (value) => (value >= 0.9995 ? "100%" : (100 * value).toFixed(1) + "%");
  const number = (value) => (value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : value.toFixed(value < 1 ? 3 : 1));
  const seconds = (value) => (value < 1 ? Math.round(1000 * value) + " ms" : value.toFixed(1) + " s");
  const times = (value) => (value < 9.95 ? String(+value.toFixed(1)) : Math.round(value).toLocaleString("en")) + "×";
  const format = (kind, value) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
    return { share, number, seconds, times, count: (x) => String(Math.round(x)) }[kind](value);
  };

  // A difference in points, for a table.
  const points = (share) => {
    const value = (100 * share).toFixed(1), way = Number(value) > 0 ? "up" : Number(value) < 0 ? "down" : null;
    return h("small", { class: way, text: way === "down" ? `−${value.slice(1)}` : `+${value.replace("-", "")}` });
  };

  // The notice board: what was said last is told to whoever comes later. Listeners leave with their element.
  const listeners = [], said = {};
  const on = (name, element, fn) => {
    listeners.push({ name, element, fn });
    if (name in said) fn(said[name]);
  };
  const emit = (name, detail) => {
    said[name] = detail;
    for (const one of [...listeners]) {
      if (!one.element.isConnected) listeners.splice(listeners.indexOf(one), 1);
      else if (one.name === name) one.fn(detail);
    }
  };
  // The step being looked at: the reader's choice on the timeline, else the newest.
  const at = (count) => Math.min(said.step ?? Infinity, count - 1);

  // Marks: the second sign beside the colour.
  const SHAPES = {
    circle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z",
    square: "M-3.6-3.6h7.2v7.2h-7.2Z",
    triangle: "M0-4.6 4.4 3.4h-8.8Z",
    diamond: "M0-5 5 0 0 5-5 0Z",
    cross: "M-4-2.4-2.4-4 0-1.6 2.4-4 4-2.4 1.6 0 4 2.4 2.4 4 0 1.6-2.4 4-4 2.4-1.6 0Z",
    line: "M-4.5-1.4h9v2.8h-9Z",
  };
  const mark = (method, attributes) =>
    s("path", { d: SHAPES[method.marker] || SHAPES.circle, class: "ink", style: `--c:${method.colour}`, ...attributes });
  const swatch = (method) =>
    s("svg", { viewBox: "-6 -6 12 12", width: 12, height: 12, class: "swatch", "aria-hidden": "true" }, mark(method));

  // One tip for the whole page: rows of [mark, words, value].
  let tip = null;
  const showTip = (event, title, rows) => {
    if (!tip) document.body.append((tip = h("div", { class: "ct-tip", role: "tooltip" })));
    tip.replaceChildren(h("b", { text: title }));
    for (const [method, words, value] of rows) {
      tip.append(h("div", {}, method ? swatch(method) : h("i"), h("span", { text: words }), h("em", { text: value })));
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect(), gap = 14;
    const left = event.clientX + gap + box.width > innerWidth ? event.clientX - gap - box.width : event.clientX + gap;
    const top = Math.min(innerHeight - box.height - 8, Math.max(8, event.clientY - box.height / 2));
    tip.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`;
  };
  const hideTip = () => tip && (tip.hidden = true);

  // Draw when the width is known and whenever it changes.
  const onWidth = (element, draw) => {
    let width = 0;
    new ResizeObserver(() => {
      const now = Math.round(element.clientWidth);
      if (now && now !== width) draw((width = now));
    }).observe(element);
  };

  // Offer bytes as a file to keep.
  const save = (name, kind, bytes) => {
    const link = h("a", { href: URL.createObjectURL(new Blob([bytes], { type: kind })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const decode = (base64) => {
    const text = atob(base64), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  };

  const counts = (text) => new Map((text || "").split(" ").filter(Boolean).map((pair) => pair.split(":").map(Number)));
  // Histories are one string each, see views.py: a space or a line's end behind every entry.
  const numbers = (text) => (text ? text.trim().split(" ").map(Number) : []);
  const lines = (text) => (text || "").split("\n").slice(0, -1);
  // The counts of the last `window` steps up to `step`, added up.
  const recent = (steps, step, window) => {
    const sum = new Map();
    for (let i = Math.max(0, step - window + 1); i <= step; i++)
      for (const [index, count] of counts(steps[i])) sum.set(index, (sum.get(index) || 0) + count);
    return sum;
  };

  return { DASH, h, s, format, points, on, emit, at, mark, swatch, showTip, hideTip, onWidth, numbers, lines, recent, save, decode };
})();
