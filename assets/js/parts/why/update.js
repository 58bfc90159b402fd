// @ts-check
/** Changing what is drawn, sixty times a second: what stays as it is must not cost the browser anything. */

/**
 * @param {Element} node
 * @param {string} name
 * @param {string} value
 */
export const put = (node, name, value) => {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
};

/**
 * @param {Element} node
 * @param {string} text
 */
export const say = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

/**
 * Bring a node's children to a number: they are made, and kept, by place.
 * @param {Element} node
 * @param {number} count
 * @param {(place: number) => Element} make
 */
export const repeat = (node, count, make) => {
  while (node.children.length > count) node.lastElementChild?.remove();
  while (node.children.length < count) node.append(make(node.children.length));
};
