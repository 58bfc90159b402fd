// @ts-check
/**
 * The Why tab: a CLIP in two dimensions that one plays with by hand. Two contenders start from the same
 * weights and see the same pictures; all is computed here, nothing asks the server.
 */

import * as plane from "../lib/plane.js";
import { ANGLES, CAPTIONS, PRESETS, presetNamed } from "../lib/plane_presets.js";
import { explain } from "../lib/terms.js";
import { answersView, endsView, historyView } from "./why/charts.js";
import { find, h, s } from "../lib/dom.js";
import { showPreset } from "../lib/plane_link.js";
import { preset as wanted } from "../lib/store.js";
import { formulaView, rowView } from "./why/formula.js";
import { LOSS_LOOKS, colourOf, shapeOf } from "./why/looks.js";
import { planeView } from "./why/plane_view.js";
import { between, lookAt, placed } from "./why/scene.js";
import { simplexView } from "./why/simplex_view.js";
import { put, say } from "./why/update.js";

/** @typedef {import("../lib/plane.js").Contender} Contender */
/** @typedef {import("../lib/plane.js").Learner} Learner */

const STEPS = 60; // what one play takes
const MOST_SHIFT = 3;
const MOST_PICTURES = 60;
const LEAST_SCALE = 0.05; // of the normalization: below it a place on the plane says nothing of a picture
const SPEEDS = [2, 5, 10, 20, 60]; // steps a second
const NUMBERS_EVERY = 66; // milliseconds while playing: nobody reads faster
const LETTERS = ["A", "B"]; // what the two sides are called, which stand one below the other on a phone
const GRID = 25; // shifts at which the end is worked out, besides the one that is set

/** @param {import("../part.js").Part<"why">} part */
export default function mount({ element }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {import("./why/scene.js").World} */
  let world = { points: [], labels: [], batch: 0, shift: 0, angles: [...ANGLES] };
  let preset = PRESETS[0];
  /** @type {Contender[]} */
  let contenders = [];
  /** @type {{before: Learner, after: Learner, past: {accuracy: number, classes: number}[]}[]} */
  let runs = [];
  let playing = false;
  let way = 1; // from the step before to the last one
  let speed = 10;
  let tool = "move";
  /**
   * @type {{touched: number | null, pinned: number | null, caption: number | null, part: string | null,
   * pinnedPart: string | null}}
   */
  const hand = { touched: null, pinned: null, caption: null, part: null, pinnedPart: null };
  const show = { pull: true, step: true };
  let dirty = true;

  // --- what the hand does ---

  const redraw = () => {
    dirty = true;
    begin();
  };
  const finished = () => runs[0].after.steps >= STEPS;

  /** Both learners at the start, as the pictures are now. */
  const restart = () => {
    const { points, captions } = placed(world);
    runs = contenders.map(({ alone }) => {
      const learner = plane.newLearner(points, captions, alone);
      return { before: learner, after: learner, past: [] };
    });
    way = 1;
    runs.forEach((_, side) => note(side));
    redraw();
  };

  /** Write down how a side does. @param {number} side */
  const note = (side) => {
    const { points, captions } = placed(world);
    const { logits } = plane.forward(points.slice(0, world.batch), captions, runs[side].after.weights);
    if (!logits.length) logits.push(captions.map(() => 0));
    runs[side].past.push({
      accuracy: plane.accuracy(logits, world.labels.slice(0, world.batch)),
      classes: plane.classesInUse(plane.countAnswers(logits)),
    });
  };

  const takeStep = () => {
    if (!world.batch) return;
    const { points, captions } = placed(world);
    runs.forEach((run, side) => {
      run.before = run.after;
      run.after = plane.step(run.after, contenders[side], points, world.labels, world.batch, captions);
      note(side);
    });
    redraw();
  };

  /** @param {boolean} on */
  const play = (on) => {
    if (on && finished()) restart();
    playing = on;
    way = 1;
    redraw();
  };

  /** @param {string} name */
  const apply = (name) => {
    preset = presetNamed(name);
    contenders = preset.sides.map((contender) => ({ ...contender }));
    const captions = plane.captionsAt(ANGLES);
    const drawn = preset.counts
      ? plane.cloud(preset.counts, captions, preset.seed)
      : { points: [], labels: [] };
    for (const [angle, distance, label] of preset.pictures ?? []) {
      drawn.points.push(plane.captionsAt([angle])[0].map((value) => distance * value));
      drawn.labels.push(label);
    }
    const batch = drawn.points.length;
    const earlier = preset.earlier
      ? plane.cloud(preset.earlier, captions, preset.seed)
      : { points: [], labels: [] };
    world = {
      points: [...drawn.points, ...earlier.points],
      labels: [...drawn.labels, ...earlier.labels],
      batch,
      shift: preset.shift,
      angles: [...ANGLES],
    };
    Object.assign(hand, {
      touched: null,
      pinned: preset.touch ?? null,
      caption: null,
      part: null,
      pinnedPart: null,
    });
    playing = false;
    restart();
    askEnds();
    writeControls();
  };

  /**
   * Where a place on a plane was before normalization and shift.
   * @param {number[]} to
   * @param {import("../lib/plane.js").Weights} weights
   */
  const unplaced = (to, { gamma, beta }) => {
    const x = to.map((value, k) => {
      const scale = Math.abs(gamma[k]) < LEAST_SCALE ? LEAST_SCALE : gamma[k];
      return Math.max(-3, Math.min(3, (value - beta[k]) / scale));
    });
    return [x[0], x[1] - plane.PUSH * world.shift];
  };

  /** @param {number[]} to @param {number} label @param {number} side */
  const addPicture = (to, label, side) => {
    if (world.batch >= MOST_PICTURES) return;
    const { weights } = runs[side].after;
    const begun = Array.isArray(weights) ? plane.untrained() : weights;
    world.points.splice(world.batch, 0, unplaced(to, begun));
    world.labels.splice(world.batch, 0, label);
    renumber((place) => (place >= world.batch ? place + 1 : place));
    world.batch += 1;
    changed();
  };

  /** @param {number} place */
  const removePicture = (place) => {
    world.points.splice(place, 1);
    world.labels.splice(place, 1);
    renumber((kept) => (kept === place ? -1 : kept > place ? kept - 1 : kept));
    world.batch -= 1;
    hand.touched = null;
    if (hand.pinned !== null)
      hand.pinned = hand.pinned === place ? null : hand.pinned - Number(hand.pinned > place);
    changed();
  };

  /** Pictures have new places: tell the learners. @param {(place: number) => number} to */
  const renumber = (to) => {
    for (const run of runs)
      for (const name of /** @type {("before" | "after")[]} */ (["before", "after"]))
        run[name] = plane.moved(run[name], world.points.length, to);
  };

  const changed = () => {
    askEnds();
    redraw();
  };

  const hands = {
    /** @param {number} place @param {number[]} to @param {number} side */
    movePicture(place, to, side) {
      world.points[place] = unplaced(to, plane.weightsOf(runs[side].after.weights, place));
      hand.touched = place;
      changed();
    },
    /** @param {number} caption @param {number} angle */
    turnCaption(caption, angle) {
      world.angles[caption] = ((angle % 360) + 360) % 360;
      hand.caption = caption;
      changed();
    },
    /** @param {number[]} to @param {number} side */
    clickPlane(to, side) {
      if (tool.startsWith("add")) addPicture(to, Number(tool.slice(3)), side);
    },
    /** @param {number} place */
    clickPicture(place) {
      if (tool === "remove") removePicture(place);
      else hand.pinned = hand.pinned === place ? null : place;
      redraw();
    },
    /** @param {{picture?: number, caption?: number} | null} touched */
    touch(touched) {
      hand.touched = touched?.picture ?? null;
      hand.caption = touched?.caption ?? null;
      redraw();
    },
    removePicture,
    addPicture,
    /** @param {string | null} name @param {boolean} pin */
    part(name, pin) {
      if (pin) hand.pinnedPart = hand.pinnedPart === name ? null : name;
      hand.part = pin ? null : name;
      redraw();
    },
  };

  // --- where a contender ends at every shift, worked out while nothing else happens ---

  /** @type {{shift: number, start: number, ends: number[]}[]} */
  let ends = [];
  let waiting = 0;
  const idle = window.requestIdleCallback ?? ((/** @type {() => void} */ then) => setTimeout(then, 30));
  const askEnds = () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      const mine = waiting;
      /** @type {typeof ends} */
      const found = [];
      const { captions } = placed(world);
      const shifts = [...Array(GRID).keys()].map((k) => (MOST_SHIFT * k) / (GRID - 1));
      shifts.push(world.shift);
      shifts.sort((a, b) => a - b);
      const next = () => {
        if (mine !== waiting || !element.isConnected) return;
        const shift = shifts[found.length];
        const points = plane.shifted(world.points, shift);
        const { labels, batch } = world;
        if (!batch) return;
        const { logits } = plane.forward(points.slice(0, batch), captions, plane.untrained());
        found.push({
          shift,
          start: plane.accuracy(logits, labels.slice(0, batch)),
          ends: contenders.map((one) => plane.outcome(one, points, labels, batch, captions, STEPS).accuracy),
        });
        if (found.length < shifts.length) return idle(next);
        ends = found;
        redraw();
      };
      idle(next);
    }, 150);
  };

  // --- the page ---

  const button = (/** @type {string} */ name, /** @type {string} */ path, /** @type {() => void} */ act) =>
    h(
      "button",
      { type: "button", "data-do": name.toLowerCase(), "aria-label": name, onclick: act },
      s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: path })),
      h("span", { text: name }),
    );
  const PLAY = "M4 2v12l10-6z",
    PAUSE = "M4 2h3v12H4zM9 2h3v12H9z";
  const playButton = button("Play", PLAY, () => play(!playing));
  const stepButton = button("Step", "M3 2v12l7-6zM11 2h2.5v12H11z", () => {
    playing = false;
    takeStep();
    way = 1;
  });
  const resetButton = button(
    "Reset",
    "M8 2.5a5.5 5.5 0 1 0 5.2 7.3l-1.9-.6A3.5 3.5 0 1 1 8 4.5c.9 0 1.8.4 2.4 1L8.5 7.5H14V2l-2 2A5.5 " +
      "5.5 0 0 0 8 2.5z",
    () => {
      playing = false;
      restart();
    },
  );
  const speedBox = h(
    "select",
    { "aria-label": "Speed", onchange: () => (speed = Number(speedBox.value)) },
    ...SPEEDS.map((one) => h("option", { value: one, text: `${one} steps/s`, selected: one === speed })),
  );
  const shiftBox = h("input", {
    type: "range",
    min: 0,
    max: MOST_SHIFT,
    step: 0.05,
    "aria-label": "Shift: how hard the corruption pushes",
    oninput: () => {
      world.shift = Number(shiftBox.value);
      askEnds();
      if (!playing) restart();
      redraw();
      writeShift();
    },
  });
  const shiftValue = h("output", {});
  const writeShift = () => {
    shiftValue.textContent = world.shift.toFixed(2);
    shiftBox.value = String(world.shift);
    shiftBox.style.setProperty("--at", `${(100 * world.shift) / MOST_SHIFT}%`);
  };

  const chips = PRESETS.map((one) =>
    h("button", {
      type: "button",
      "data-preset": one.name,
      text: one.title,
      onclick: () => showPreset(one.name),
    }),
  );
  const look = h("p", { class: "look", "aria-live": "polite" });

  const TOOLS = [
    ["move", "Move", null],
    ...CAPTIONS.map((name, c) => [`add${c}`, `Add ${name}`, c]),
    ["add-1", "Add an unknown picture", -1],
    ["remove", "Remove", null],
  ];
  const tools = h(
    "div",
    { class: "tools", role: "radiogroup", "aria-label": "What a click on the plane does" },
    ...TOOLS.map(([name, title, label]) =>
      h(
        "label",
        { title },
        h("input", {
          type: "radio",
          name: "why-tool",
          value: name,
          checked: name === tool,
          onchange: () => (tool = String(name)),
          "aria-label": title,
        }),
        label === null
          ? h("span", { text: title })
          : s(
              "svg",
              { viewBox: "-9 -9 18 18", "aria-hidden": "true" },
              s("path", { d: shapeOf(Number(label)), style: `--c:${colourOf(Number(label))}` }),
              s("path", { class: "plus", d: "M3 6h5M5.5 3.5v5" }),
            ),
      ),
    ),
  );
  const arrowSwitch = (/** @type {"pull" | "step"} */ name, /** @type {string} */ text) =>
    h(
      "label",
      { class: `tick switch ${name}` },
      h("input", {
        type: "checkbox",
        checked: show[name],
        "data-show": name,
        onchange: (/** @type {any} */ event) => {
          show[name] = event.target.checked;
          redraw();
        },
      }),
      h("i", { "aria-hidden": "true" }),
      text,
    );

  const sides = [0, 1].map((side) => {
    const selectBox = h(
      "select",
      {
        "aria-label": `Loss of ${LETTERS[side]}`,
        onchange: () =>
          choose(side, { loss: /** @type {import("../lib/plane.js").LossName} */ (selectBox.value) }),
      },
      ...plane.LOSSES.map((name) => h("option", { value: name, text: LOSS_LOOKS[name].title })),
    );
    /** @param {string} name @param {string} text @param {(on: boolean) => Partial<Contender>} patch */
    const tick = (name, text, patch) => {
      const box = h("input", {
        type: "checkbox",
        "data-extra": name,
        onchange: () => choose(side, patch(box.checked)),
      });
      return { box, label: h("label", { class: "tick switch" }, box, text) };
    };
    const diversity = tick("diversity", "diversity bonus", (on) => ({ diversity: on }));
    const memory = tick("memory", "memory", (on) => ({ memory: on }));
    const shared = tick("shared", "sharing", (on) => ({ alone: !on }));
    const views = {
      plane: planeView(hands, side, "why-keys"),
      simplex: simplexView(hands, side),
      answers: answersView(side),
      history: historyView(side, redraw),
      formula: formulaView(hands, side),
      row: rowView(side),
    };
    const against = h("p", { class: "against" });
    const card = h(
      "section",
      { class: "side", "aria-label": LETTERS[side] },
      h(
        "header",
        {},
        h("b", { class: "letter", text: LETTERS[side] }),
        selectBox,
        diversity.label,
        memory.label,
        shared.label,
      ),
      h(
        "div",
        { class: "views" },
        views.plane.element,
        h("div", { class: "beside" }, views.simplex.element, views.answers.element),
      ),
      against,
      views.formula.element,
      views.row.element,
      views.history.element,
    );
    const [bonus, kept, common] = [diversity.box, memory.box, shared.box];
    return { selectBox, diversity: bonus, memory: kept, shared: common, views, card, against };
  });

  /** @param {number} side @param {Partial<Contender>} patch */
  const choose = (side, patch) => {
    contenders[side] = { ...contenders[side], ...patch };
    hand.pinnedPart = null;
    playing = false;
    restart();
    askEnds();
    writeControls();
  };

  const writeControls = () => {
    chips.forEach((chip, k) => chip.setAttribute("aria-pressed", String(PRESETS[k] === preset)));
    look.textContent = preset.look;
    explain(look);
    sides.forEach((one, side) => {
      one.selectBox.value = contenders[side].loss;
      one.diversity.checked = contenders[side].diversity;
      one.memory.checked = contenders[side].memory;
      one.shared.checked = !contenders[side].alone;
      one.card.style.setProperty("--c", LOSS_LOOKS[contenders[side].loss].colour);
    });
    writeShift();
  };

  const endsChart = endsView();
  find(element, ".why").replaceChildren(
    h("div", { class: "chips", role: "group", "aria-label": "Situations" }, ...chips),
    look,
    h(
      "div",
      { class: "bar" },
      h(
        "div",
        { class: "transport", role: "group", "aria-label": "Training" },
        playButton,
        stepButton,
        resetButton,
        speedBox,
      ),
      h(
        "div",
        { class: "shift" },
        h(
          "p",
          { class: "title" },
          "Shift ",
          shiftValue,
          h("span", { text: "how hard the corruption pushes towards “a cat”" }),
        ),
        shiftBox,
        endsChart.element,
      ),
    ),
    h(
      "div",
      { class: "bar thin" },
      tools,
      arrowSwitch("pull", "where its loss pulls each picture"),
      arrowSwitch("step", "where the trained weights take it"),
    ),
    h("div", { class: "pair" }, ...sides.map((one) => one.card)),
    h("p", {
      class: "help",
      text:
        "Of a picture under the pointer, or pressed: Pull on score is minus the gradient of its loss. Own " +
        "pull: which way its answer would go if it could follow that alone. Next step: which way it does " +
        "go with the weights that all pictures train, or, without sharing, with its own; in percentage " +
        "points.",
    }),
    h("p", {
      class: "help",
      id: "why-keys",
      text:
        "Drag pictures and captions. With keys: Tab enters a plane, Page Up and Page Down choose a " +
        "picture or a caption, arrow keys move it, 1, 2, 3 add a picture of a class there and 0 an " +
        "unknown one, Delete removes it, Enter keeps its numbers in view. A picture’s colour and shape " +
        "say what it shows, the ground below it what is answered there; the wrong ones have a ring.",
    }),
  );

  // --- drawing ---

  let numbersAt = 0;
  const draw = () => {
    const { points, captions } = placed(world);
    const part = hand.part ?? hand.pinnedPart;
    const seen = runs.map((run, side) =>
      lookAt(world, points, captions, contenders[side], between(run.before, run.after, way), part),
    );
    const inBatch = (/** @type {number | null} */ place) =>
      place !== null && place < world.batch ? place : null;
    /** @type {import("./why/scene.js").Scene} */
    const scene = {
      points,
      labels: world.labels,
      batch: world.batch,
      captions,
      angles: world.angles,
      sides: seen,
      show,
      hovered: inBatch(hand.touched),
      touched: inBatch(hand.touched ?? hand.pinned),
      pinned: inBatch(hand.pinned),
      caption: hand.caption,
      part,
    };
    for (const { views } of sides) {
      views.plane.draw(scene);
      views.simplex.draw(scene);
    }
    if (playing && performance.now() - numbersAt < NUMBERS_EVERY) return;
    numbersAt = performance.now();
    drawNumbers(scene);
  };

  /** All that is read rather than watched. @param {import("./why/scene.js").Scene} scene */
  const drawNumbers = (scene) => {
    sides.forEach(({ views, against }, side) => {
      views.answers.draw(scene);
      views.history.draw(scene, runs[side].past, STEPS);
      views.formula.draw(scene);
      const { past } = runs[side];
      const [from, to] = [past[0].accuracy, past[past.length - 1].accuracy].map((share) =>
        Math.round(100 * share),
      );
      const moved = Number.isNaN(from)
        ? ""
        : past.length > 1
          ? `From ${from} to ${to} % correct. `
          : `${from} % correct so far. `;
      say(
        against,
        `${moved}The next step carries ${scene.sides[side].against} of ${world.batch}` +
          ` pictures against their own pull.`,
      );
    });
    drawRow(scene);
    endsChart.draw(ends, MOST_SHIFT, world.shift, contenders);
    say(find(playButton, "span"), playing ? "Pause" : "Play");
    put(playButton, "aria-label", playing ? "Pause" : "Play");
    put(find(playButton, "path", SVGPathElement), "d", playing ? PAUSE : PLAY);
    element.dataset.steps = String(runs[0].after.steps);
  };

  /**
   * The numbers of the picture that is touched or kept in view.
   * @param {import("./why/scene.js").Scene} scene
   */
  const drawRow = (scene) => {
    const i = scene.touched;
    scene.sides.forEach((one, side) => {
      const target = i === null ? [] : targetOf(one, i, scene);
      sides[side].views.row.draw(scene, CAPTIONS, target, plane.SCALE);
    });
  };

  /**
   * The distribution a loss compares a picture's answer with.
   * @param {import("./why/scene.js").Side} one
   * @param {number} i
   * @param {import("./why/scene.js").Scene} scene
   */
  const targetOf = (one, i, scene) => {
    const logits = one.seen.logits.slice(0, scene.batch);
    const only = (/** @type {number} */ label) => CAPTIONS.map((_, c) => Number(c === label));
    const { loss } = one.contender;
    if (loss === "truth") return only(scene.labels[i]);
    if (loss === "hard") return only(plane.argmax(logits[i]));
    if (loss === "tent") return one.seen.probs[i];
    if (loss === "text_to_image")
      return CAPTIONS.map((_, c) => plane.softmax(logits.map((other) => other[c]))[i]);
    return plane.underCounts(logits)[i];
  };

  // --- time ---

  let last = 0;
  let ticking = false;
  const tick = (/** @type {number} */ now) => {
    if (!element.isConnected) {
      ticking = false;
      return;
    }
    const passed = Math.min(0.1, (now - last) / 1000);
    last = now;
    if (playing) {
      way += passed * speed;
      while (way >= 1 && playing) {
        if (finished()) {
          playing = false;
          redraw();
        } else {
          takeStep();
          way -= 1;
        }
      }
      if (!playing) way = 1;
      if (!still.matches) redraw();
    }
    if (dirty) {
      dirty = false;
      const shownWay = way;
      if (still.matches) way = 1; // whole steps, no gliding
      draw();
      way = shownWay;
    }
    // Frames are asked for while something moves: a page at rest lets the browser rest.
    if (playing || dirty) requestAnimationFrame(tick);
    else ticking = false;
  };
  /** Draw from the next frame on, for as long as there is something to draw. */
  const begin = () => {
    if (ticking) return;
    ticking = true;
    requestAnimationFrame((now) => {
      last = now;
      tick(now);
    });
  };

  for (const moral of element.querySelectorAll(".moral")) explain(moral);
  wanted.follow(element, (name) => apply(name ?? PRESETS[0].name));
}
