// @ts-check

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
