// @ts-check
/** The primer under the playground: teaches the page its terms, and has its own words explained. */

import { explain, learn } from "../lib/terms.js";

/** @param {import("../part.js").Part<"primer">} part */
export default function mount({ element, props }) {
  learn(props.terms);
  for (const section of element.querySelectorAll(".primer section")) explain(section);
}
