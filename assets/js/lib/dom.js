// @ts-check
// Making and finding elements. Text from visitors enters the page through textContent and setAttribute only.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Attribute */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @template {Element} T
 * @param {T} node
 * @param {Record<string, Attribute>} attributes
 * @param {Child[]} children
 */
const fill = (node, attributes, children) => {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key.slice("on".length), value);
    else if (key === "text") node.textContent = String(value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child) node.append(child);
  return node;
};

/**
 * An element of HTML. `text` is its text, "onclick" and the like listen, true is an attribute without a
 * value, and what is null, undefined or false is left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, Attribute>} [attributes]
 * @param {...Child} children
 */
export const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

/**
 * An element of SVG.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, Attribute>} [attributes]
 * @param {...Child} children
 */
export const s = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/**
 * The first element that fits a selector and is of a type.
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} [type]
 * @returns {T}
 */
export const find = (root, selector, type = /** @type {any} */ (HTMLElement)) => {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} at ${selector}.`);
  return found;
};

/**
 * The buttons of a part by what they do.
 * @param {ParentNode} root
 * @returns {Record<string, HTMLButtonElement>}
 */
export const buttonsOf = (root) => {
  /** @type {Record<string, HTMLButtonElement>} */
  const found = {};
  for (const one of root.querySelectorAll("button")) if (one.dataset.do) found[one.dataset.do] = one;
  return found;
};

/**
 * How CSS wants a chart drawn: how much larger than usual, and how high in pixels, 0 for as high as it likes.
 * @param {Element} chart
 */
export const roomOf = (chart) => {
  const style = getComputedStyle(chart);
  const [zoom, height] = ["--zoom", "--chart-height"].map((name) => parseFloat(style.getPropertyValue(name)));
  return { zoom: zoom || 1, height: height || 0 };
};

/**
 * Call back when the width of an element is known and whenever it changes, or what CSS wants of a chart does.
 * @param {Element} element
 * @param {(width: number) => void} changed
 */
export const onWidth = (element, changed) => {
  let known = "";
  const look = () => {
    const now = Math.round(element.clientWidth);
    const { zoom, height } = roomOf(element);
    const news = [now, zoom, height].join();
    if (!now || news === known) return;
    known = news;
    changed(now);
  };
  new ResizeObserver(look).observe(element);
  addEventListener("resize", look); // a window may become lower only
};

export const prefersStillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
export const isNarrow = () => matchMedia("(max-width: 820px)").matches;
export const isLow = () => matchMedia("(max-height: 560px)").matches;
