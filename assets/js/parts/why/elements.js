// @ts-check
/** Making elements. Words enter the page through textContent and setAttribute only. */

const SVG = "http://www.w3.org/2000/svg";

/** @param {Element} node @param {Record<string, any>} attributes @param {(Node | string | null)[]} children */
const fill = (node, attributes, children) => {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
};

/**
 * An HTML element. @param {string} tag @param {Record<string, any>} attributes @param {(Node | string | null)[]} children
 * @returns {any}
 */
export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/**
 * An SVG element. @param {string} tag @param {Record<string, any>} attributes @param {(Node | string | null)[]} children
 * @returns {any}
 */
export const s = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** Bring a node's children to a number, made and kept by place. @param {Element} node @param {number} count @param {(place: number) => Element} make */
export const repeat = (node, count, make) => {
  while (node.children.length > count) node.lastElementChild?.remove();
  while (node.children.length < count) node.append(make(node.children.length));
};
