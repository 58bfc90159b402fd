// @ts-check
/** The plane: captions as arrows on a circle, pictures as points where the trained weights put them. */

import { s, h } from "../../lib/dom.js";
import { arrowLayer } from "./arrows.js";
import { put, repeat } from "./update.js";
import { CLASS_COLOURS, colourOf, shapeOf } from "./looks.js";
import { SCALE, argmax, captionsAt, softmax } from "../../lib/plane.js";
import { CAPTIONS } from "../../lib/plane_presets.js";

const UNIT = 100; // pixels of the drawing for a length of 1
const REACH = 1.9; // the plane shows at least -REACH to REACH
const MARGIN = 1.12; // and this much more than the pictures need
const SLICE = 6; // degrees of one slice of the background
const TINT = 0.26;
const STEPS = 3; // an arrow is as long as so many steps like the next
const STEP = 0.05; // how far an arrow key moves a picture
const TURN = 3; // degrees an arrow key turns a caption

/** @typedef {import("./scene.js").Scene} Scene */

/** @param {number} x @param {number} y */
const at = (x, y) => `${(x * UNIT).toFixed(1)} ${(-y * UNIT).toFixed(1)}`;

/**
 * The background, a slice for each direction, coloured as a picture there would answer.
 * @param {number[][]} captions
 */
const directions = (captions) => {
  const channels = CLASS_COLOURS.map((colour) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16)));
  const stops = [];
  for (let turn = 0; turn <= 360; turn += SLICE) {
    const [z] = captionsAt([90 - turn]);
    const probs = softmax(captions.map((t) => SCALE * (z[0] * t[0] + z[1] * t[1])));
    const mixed = [0, 1, 2].map((k) => Math.round(probs.reduce((sum, p, c) => sum + p * channels[c][k], 0)));
    stops.push(`rgb(${mixed.join(" ")} / ${(TINT * Math.max(...probs)).toFixed(3)}) ${turn}deg`);
  }
  return `conic-gradient(${stops.join(", ")})`;
};

/** @param {number} label */
const named = (label) => CAPTIONS[label] ?? "none of the three";

/**
 * @param {object} hand What the plane tells the page.
 * @param {(place: number, to: number[], side: number) => void} hand.movePicture To a place on this plane.
 * @param {(caption: number, angle: number) => void} hand.turnCaption
 * @param {(to: number[], side: number) => void} hand.clickPlane
 * @param {(place: number) => void} hand.clickPicture
 * @param {(touched: {picture?: number, caption?: number} | null) => void} hand.touch
 * @param {(place: number) => void} hand.removePicture
 * @param {(to: number[], label: number, side: number) => void} hand.addPicture
 * @param {number} side 0 or 1. @param {string} help Identifier of the help on keys.
 */
export const planeView = (hand, side, help) => {
  const captions = s("g"),
    rings = s("g"),
    rim = s("g", { class: "rim" });
  const arrows = arrowLayer("steps"),
    points = s("g"),
    names = s("g", { class: "names", "aria-hidden": "true" }); // above the pictures that crowd there
  let reach = REACH; // farther when training carries pictures away
  const svg = s(
    "svg",
    {
      role: "application",
      "aria-label": "The plane",
      "aria-describedby": help,
    },
    s("path", { class: "axis", d: "M-1000 0H1000M0-1000V1000" }),
    s("circle", { class: "circle", r: UNIT }),
    rim,
    arrows.element,
    rings,
    captions,
    points,
    names,
  );
  const element = h("div", { class: "plane" }, svg);
  /** @type {Scene | null} */
  let scene = null;
  let focused = 0; // the one picture or caption that Tab reaches
  let shown = "";

  /** @param {PointerEvent | MouseEvent} event */
  const placeOf = (event) => {
    const box = svg.getBoundingClientRect();
    return [
      (((event.clientX - box.left) / box.width) * 2 - 1) * reach,
      (1 - ((event.clientY - box.top) / box.height) * 2) * reach,
    ];
  };

  /**
   * Follow the pointer until it lets go; a press that moved nothing is a click.
   * @param {Element} node
   * @param {(to: number[]) => void} move
   * @param {() => void} click
   */
  const draggable = (node, move, click) => {
    node.addEventListener("pointerdown", (/** @type {any} */ event) => {
      if (event.button) return;
      event.preventDefault();
      event.stopPropagation();
      /** @type {any} */ (node).focus({ preventScroll: true });
      node.setPointerCapture(event.pointerId);
      const from = [event.clientX, event.clientY];
      let moved = false;
      const follow = (/** @type {any} */ now) => {
        moved ||= Math.hypot(now.clientX - from[0], now.clientY - from[1]) > 3;
        if (moved) move(placeOf(now));
      };
      const drop = () => {
        node.removeEventListener("pointermove", follow);
        if (!moved) click();
      };
      node.addEventListener("pointermove", follow);
      node.addEventListener("lostpointercapture", drop, { once: true });
    });
  };

  const stops = () => /** @type {SVGGElement[]} */ ([...points.children, ...captions.children]);
  /** @param {number} place */
  const goTo = (place) => {
    const all = stops();
    focused = (place + all.length) % all.length;
    all.forEach((node, k) => node.setAttribute("tabindex", k === focused ? "0" : "-1"));
    all[focused].focus({ preventScroll: true });
  };

  const ARROWS = /** @type {Record<string, number[]>} */ ({
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, 1],
    ArrowDown: [0, -1],
  });
  /** @param {number} picture @param {string} key */
  const pictureKey = (picture, key) => {
    if (key === "Enter" || key === " ") hand.clickPicture(picture);
    else if (key === "Delete" || key === "Backspace") {
      hand.removePicture(picture);
      if (points.children.length) goTo(Math.min(picture, points.children.length - 1));
    } else return false;
    return true;
  };

  /** What a key does to the picture or caption in focus; false where it does nothing. */
  const press = (/** @type {Scene} */ now, /** @type {number} */ place, /** @type {string} */ key) => {
    const picture = place < points.children.length ? place : -1;
    const here = picture >= 0 ? now.sides[side].seen.moved[picture] : [0.3, 0.3];
    const [dx, dy] = ARROWS[key] ?? [0, 0];
    if (key in ARROWS && picture >= 0)
      hand.movePicture(picture, [here[0] + STEP * dx, here[1] + STEP * dy], side);
    else if (key in ARROWS) {
      const caption = place - points.children.length;
      hand.turnCaption(caption, now.angles[caption] - TURN * (dx - dy));
    } else if (key === "PageDown") goTo(place + 1);
    else if (key === "PageUp") goTo(place - 1);
    else if (["0", "1", "2", "3"].includes(key))
      hand.addPicture([here[0] + 0.1, here[1] + 0.1], Number(key) - 1, side);
    else return picture >= 0 && pictureKey(picture, key);
    return true;
  };
  svg.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (!scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = stops().indexOf(/** @type {any} */ (document.activeElement));
    if (place >= 0 && press(scene, place, event.key)) event.preventDefault();
  });
  svg.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (!event.button) hand.clickPlane(placeOf(event), side);
  });

  /** @param {number} place */
  const makePoint = (place) => {
    const node = s(
      "g",
      { class: "picture", role: "button", tabindex: -1, "data-place": place },
      s("circle", { class: "grip", r: 11 }),
      s("path", { class: "mark" }),
    );
    const index = () => Number(node.dataset.place);
    draggable(
      node,
      (to) => hand.movePicture(index(), to, side),
      () => hand.clickPicture(index()),
    );
    node.addEventListener("pointerenter", () => hand.touch({ picture: index() }));
    node.addEventListener("pointerleave", () => hand.touch(null));
    node.addEventListener("focus", () => {
      focused = index();
      stops().forEach((other) => other.setAttribute("tabindex", other === node ? "0" : "-1"));
      hand.touch({ picture: index() });
    });
    node.addEventListener("blur", () => hand.touch(null));
    return node;
  };

  /** @param {number} place */
  const makeCaption = (place) => {
    const style = `--c:${CLASS_COLOURS[place]}`;
    const node = s(
      "g",
      { class: "caption", role: "button", tabindex: -1, style, "data-caption": place },
      s("path", { class: "stem" }),
      s("circle", { class: "grip", r: 16 }),
      s("path", { class: "tip", d: "M0 0-13 5.5-10 0-13-5.5Z" }),
    );
    const turn = (/** @type {number[]} */ to) =>
      hand.turnCaption(place, (Math.atan2(to[1], to[0]) * 180) / Math.PI);
    draggable(node, turn, () => {});
    node.addEventListener("pointerenter", () => hand.touch({ caption: place }));
    node.addEventListener("pointerleave", () => hand.touch(null));
    node.addEventListener("focus", () => {
      focused = points.children.length + place;
      stops().forEach((other) => other.setAttribute("tabindex", other === node ? "0" : "-1"));
      hand.touch({ caption: place });
    });
    node.addEventListener("blur", () => hand.touch(null));
    return node;
  };

  /** @param {Scene} now */
  const draw = (now) => {
    scene = now;
    const { seen, ahead } = now.sides[side];
    const key = now.angles.join();
    if (key !== shown) {
      shown = key;
      element.style.setProperty("--directions", directions(now.captions));
    }
    reach = Math.max(REACH, ...seen.moved.map((u) => MARGIN * Math.max(Math.abs(u[0]), Math.abs(u[1]))));
    put(
      svg,
      "viewBox",
      [-reach, -reach, 2 * reach, 2 * reach].map((value) => (value * UNIT).toFixed(1)).join(" "),
    );
    const size = reach / REACH; // marks and words keep theirs
    repeat(rim, CLASS_COLOURS.length, (c) => s("path", { style: `--c:${CLASS_COLOURS.at(c)}` }));
    CLASS_COLOURS.forEach((_, c) => {
      const here = seen.features
        .slice(0, now.batch)
        .filter((_, i) => colourOf(now.labels[i]) === CLASS_COLOURS[c]);
      put(rim.children[c], "d", here.map((z) => `M${at(z[0], z[1])}h.01`).join(""));
    });
    repeat(captions, now.captions.length, makeCaption);
    repeat(names, now.captions.length, (c) => s("text", { "text-anchor": "middle", text: CAPTIONS[c] }));
    now.captions.forEach((t, c) => {
      const [stem, grip, tip] = captions.children[c].children;
      put(stem, "d", `M0 0L${at(t[0] * 0.95, t[1] * 0.95)}`);
      put(grip, "transform", `translate(${at(t[0], t[1])})`);
      put(
        tip,
        "transform",
        `translate(${at(t[0] * 1.04, t[1] * 1.04)}) rotate(${-now.angles[c]}) scale(${size})`,
      );
      const away = 1 + 0.25 * size;
      put(
        names.children[c],
        "transform",
        `translate(${at(t[0] * away, t[1] * away)}) scale(${size}) translate(0 5)`,
      );
      const answers = now.sides[side].counts[c];
      put(captions.children[c], "aria-label", `Caption ${CAPTIONS[c]}, ${answers} answers`);
    });
    repeat(points, now.batch, makePoint);
    repeat(rings, seen.moved.length - now.batch, () => s("g", {}, s("circle", { r: 7.5 }), s("path")));
    seen.moved.forEach((u, i) => {
      const [x, y] = u;
      const where = `translate(${at(x, y)}) scale(${size.toFixed(3)})`;
      if (i >= now.batch) {
        const ring = rings.children[i - now.batch];
        put(ring, "transform", where);
        put(ring, "class", now.sides[side].remembered.has(i) ? "earlier kept" : "earlier");
        put(ring, "style", `--c:${colourOf(now.labels[i])}`);
        put(ring.children[1], "d", shapeOf(now.labels[i]));
        return;
      }
      const node = points.children[i];
      const answer = argmax(seen.logits[i]);
      const right = answer === now.labels[i];
      put(node, "transform", where);
      put(node, "style", `--c:${colourOf(now.labels[i])}`);
      const state = [
        now.touched === i && "touched",
        now.sides[side].remembered.has(i) && "kept",
        !right && "wrong",
      ];
      put(node, "class", ["picture", ...state.filter(Boolean)].join(" "));
      put(node.children[1], "d", shapeOf(now.labels[i]));
      put(node, "aria-label", `Picture ${i + 1}, ${named(now.labels[i])}, answered ${CAPTIONS[answer]}`);
      put(node, "aria-pressed", String(now.pinned === i));
    });
    const ways = seen.moved.slice(0, now.show.step ? now.batch : 0).map((u, i) => ({
      from: [u[0] * UNIT, -u[1] * UNIT],
      way: [0, 1].map((k) => (ahead.moved[i][k] - u[k]) * STEPS * UNIT * (k ? -1 : 1)),
    }));
    arrows.draw(ways, now.hovered);
    const all = stops();
    if (!all.some((node) => node.getAttribute("tabindex") === "0"))
      put(all[Math.min(focused, all.length - 1)], "tabindex", "0");
  };
  return { element, draw };
};
