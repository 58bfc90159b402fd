// @ts-check
// Pictures that a lesson needs and that do not come with the page: where they are, and what shows the same.

import { find } from "../../lib/dom.js";

/**
 * @param {HTMLElement} host
 * @param {HTMLButtonElement} button leads to the twin
 * @param {import("../../wire.js").Needs | undefined} needs of the lesson; none of one that is drawn here
 */
export const showNeeds = (host, button, needs) => {
  host.hidden = !needs;
  if (!needs) return;
  find(host, "span").textContent = needs.says;
  button.hidden = !needs.twin;
  button.textContent = `The same on drawings: ${needs.instead}`;
};
