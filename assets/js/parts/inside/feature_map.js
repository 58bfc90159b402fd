// @ts-check
/** The map: a batch's pictures where the frozen model puts them, on their way to where the contender does. */

import { find, onWidth, prefersStillness, s } from "../../lib/dom.js";
import { free } from "../../lib/places.js";
import { onHover, showTip } from "../../lib/tip.js";
import { hueOf, shapeOf } from "./looks.js";
import { word } from "./scene.js";
import { repeat } from "../why/update.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Place} Place */
/** @typedef {import("./scene.js").Picture} Picture */

const EDGE = 26; // pixels around the outermost places
const FLATTEST = 0.72; // height of the map by its width
const TALLEST = 560;
const LETTER = 6.6;

/**
 * From places to pixels, both axes alike and the same for all batches.
 * @param {Scene} scene @param {number} width @param {number} height
 * @returns {(place: Place) => Place}
 */
const scaleOf = ({ known }, width, height) => {
  const all = [...(known.run.features?.captions ?? [])];
  for (const one of known.batches.flat()) {
    if (one.start) all.push(one.start);
    if (one.end) all.push(one.end);
  }
  const [xs, ys] = [0, 1].map((k) => all.map((place) => place[k]));
  const ends = [xs, ys].map((values) => [
    values.reduce((a, b) => Math.min(a, b), Infinity),
    values.reduce((a, b) => Math.max(a, b), -Infinity),
  ]);
  const unit = Math.min(
    (width - 2 * EDGE) / (ends[0][1] - ends[0][0] || 1),
    (height - 2 * EDGE) / (ends[1][1] - ends[1][0] || 1),
  );
  const middle = ends.map(([low, high]) => (low + high) / 2);
  return ([x, y]) => [width / 2 + unit * (x - middle[0]), height / 2 - unit * (y - middle[1])];
};

/** @param {Place} place */
const at = ([x, y]) => `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;

/**
 * @param {HTMLElement} figure
 * @param {(picture: {batch: number, picture: number}) => void} choose
 */
export const featureMap = (figure, choose) => {
  const svg = find(figure, "svg", SVGSVGElement);
  const help = find(figure, ".help");
  const [ways, captions, points, names] = [
    s("path", { class: "ways" }),
    s("g", { class: "captions" }),
    s("g", { class: "points" }),
    s("g", { class: "names", "aria-hidden": "true" }),
  ];
  svg.append(ways, captions, points, names);
  let width = 0;
  let focused = 0; // the picture that Tab reaches
  let glided = ""; // the batch and contender whose pictures have gone their way
  /** @type {Scene | null} */
  let scene = null;

  const pictures = () => scene?.known.batches[scene.at] ?? [];
  const nodes = () => /** @type {SVGGElement[]} */ ([...points.children]);

  /** @param {Picture} one @returns {[null, string, string][]} */
  const rowsOf = (one) => {
    const { known } = /** @type {Scene} */ (scene);
    return [
      .../** @type {[null, string, string][]} */ (
        known.run.labelled ? [[null, "really", word(known, one.truth)]] : []
      ),
      [null, "zero-shot CLIP", word(known, one.before)],
      [null, known.method.title, `${word(known, one.after)}, ${one.sure}% sure`],
    ];
  };
  /** @param {number} place */
  const goTo = (place) => {
    const count = points.children.length;
    focused = (place + count) % count;
    nodes().forEach((node, k) => node.setAttribute("tabindex", k === focused ? "0" : "-1"));
    nodes()[focused].focus({ preventScroll: true });
  };
  svg.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const way = /** @type {Record<string, number>} */ ({
      ArrowRight: 1,
      ArrowDown: 1,
      ArrowLeft: -1,
      ArrowUp: -1,
    })[event.key];
    const place = nodes().indexOf(/** @type {any} */ (document.activeElement));
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (way) goTo(place + way);
    else if (event.key === "Enter" || event.key === " ") choose(pictures()[place]);
    else return;
    event.preventDefault();
  });

  /** @param {number} place */
  const makePoint = (place) => {
    const node = s(
      "g",
      { class: "point", role: "button", tabindex: place === focused ? 0 : -1 },
      s("circle", { class: "grip", r: 10 }),
      s("path", { class: "mark" }),
    );
    node.addEventListener("click", () => choose(pictures()[place]));
    node.addEventListener("focus", () => choose(pictures()[place]));
    onHover(node, (event) => {
      const one = pictures()[place];
      if (one) showTip(event, `Batch ${one.batch}, picture ${one.picture + 1}`, rowsOf(one));
    });
    return node;
  };
  /** @param {number} place */
  const makeCaption = (place) => {
    const node = s("path", { class: "caption", d: "M-5 0h10M0-5v10" });
    onHover(node, (event) => scene && showTip(event, `Caption: ${word(scene.known, place)}`, []));
    return node;
  };

  /** Names of captions, those of the batch's classes first, where there is room. @param {Place[]} where */
  const nameCaptions = (where) => {
    const { known } = /** @type {Scene} */ (scene);
    const busy = new Set(pictures().flatMap((one) => [one.truth, one.after]));
    const order = where.map((_, k) => k).sort((a, b) => Number(busy.has(b)) - Number(busy.has(a)));
    const bounds = { left: 2, right: width - 2, top: 2, bottom: Number(svg.dataset.height) - 2 };
    const taken = where.map(([x, y]) => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 }));
    names.replaceChildren();
    for (const k of order) {
      const [x, y] = where[k];
      const box = free(x, y, LETTER * known.run.classes[k].length, bounds, taken);
      if (!box) continue;
      taken.push(box);
      names.append(s("text", { x: box.left, y: box.bottom - 4, text: known.run.classes[k] }));
    }
  };

  const redraw = () => {
    const { features, method } = scene?.known.run ?? {};
    figure.classList.toggle("nothing", !features);
    if (!scene || !features || !width) {
      if (scene)
        help.textContent =
          "Nothing was recorded of this run’s features. A new run is looked into: press Run in Play.";
      return;
    }
    const { known, colour, chosen } = scene;
    const height = Math.round(Math.min(TALLEST, FLATTEST * width));
    svg.dataset.height = String(height);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const scale = scaleOf(scene, width, height);
    const shown = pictures();
    const [starts, ends] = [shown.map((one) => one.start), shown.map((one) => one.end)].map((places) =>
      places.map((place) => scale(/** @type {Place} */ (place))),
    );
    focused = Math.min(focused, Math.max(0, shown.length - 1));
    repeat(points, shown.length, makePoint);
    const batch = known.run.batches[scene.at];
    const fresh = glided !== `${method} ${batch}` && !prefersStillness();
    glided = `${method} ${batch}`;
    if (fresh) {
      points.classList.add("still");
      nodes().forEach((node, k) => (node.style.transform = at(starts[k])));
      points.getBoundingClientRect(); // so that the browser takes this for the start of the way
    }
    points.classList.remove("still");
    nodes().forEach((node, k) => {
      const one = shown[k];
      const label = colour === "truth" ? one.truth : one.after;
      node.style.transform = at(ends[k]);
      node.style.setProperty("--c", hueOf(label));
      node.children[1].setAttribute("d", shapeOf(label));
      const wrong = one.truth >= 0 && one.after !== one.truth;
      node.classList.toggle("wrong", wrong);
      node.classList.toggle("chosen", chosen?.batch === batch && chosen.picture === k);
      node.setAttribute("tabindex", k === focused ? "0" : "-1");
      const said = rowsOf(one).map(([, who, what]) => `${who}: ${what}`);
      node.setAttribute("aria-label", `Picture ${k + 1}; ${said.join("; ")}`);
    });
    ways.setAttribute(
      "d",
      ends
        .map(([x, y], k) => `M${starts[k].map((v) => v.toFixed(1))}L${x.toFixed(1)} ${y.toFixed(1)}`)
        .join(""),
    );
    const where = features.captions.map(scale);
    repeat(captions, where.length, makeCaption);
    where.forEach((place, k) => {
      const node = /** @type {SVGPathElement} */ (captions.children[k]);
      node.style.transform = at(place);
      node.style.setProperty("--c", hueOf(k));
    });
    nameCaptions(where);
    svg.setAttribute(
      "aria-label",
      `Map of batch ${batch}: ${shown.length} pictures, coloured by ${colour}, and ${where.length} captions.`,
    );
    help.textContent =
      `Each point is a picture where ${known.method.title} puts it; its line comes from where the frozen ` +
      "model does. Crosses are captions; a dark rim marks a wrong answer. The plane is that of the frozen " +
      "model’s two principal components, pictures and captions each about their own mean. It shows " +
      `${Math.round(100 * features.explained)}% of the variance: what lies together here may lie apart.`;
  };
  onWidth(svg, (now) => {
    width = now;
    redraw();
  });
  return {
    /** @param {Scene} now */
    draw: (now) => {
      scene = now;
      redraw();
    },
  };
};
