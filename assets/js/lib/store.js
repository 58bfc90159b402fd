// @ts-check
// What the parts of the page know in common: the views that the server has told, and what the reader is
// looking at. A cell keeps what was put into it last, and tells it to whoever comes later.

/** @typedef {Record<string, any>} Data */
/** @typedef {{state: import("../wire.js").RunState, done?: number, local?: boolean}} Run */

/**
 * A place for a value; undefined as long as nothing has been put there.
 * @template T
 */
class Cell {
  /** @param {T} value */
  constructor(value) {
    this.value = value;
    /** @type {{element: Element, fn: (value: Exclude<T, undefined>) => void}[]} */
    this.listeners = [];
  }

  /**
   * Call a function with what is there and with all that comes, as long as its element is on the page.
   * @param {Element} element
   * @param {(value: Exclude<T, undefined>) => void} fn
   */
  follow(element, fn) {
    this.listeners.push({ element, fn });
    if (this.value !== undefined) fn(/** @type {Exclude<T, undefined>} */ (this.value));
  }

  /** @param {Exclude<T, undefined>} value */
  put(value) {
    this.value = value;
    this.listeners = this.listeners.filter(({ element }) => element.isConnected);
    for (const { fn } of [...this.listeners]) fn(value);
  }
}

/**
 * @template T
 * @returns {Cell<T | undefined>}
 */
const empty = () => new Cell(/** @type {T | undefined} */ (undefined));

/** @type {Map<string, Cell<any>>} */
const views = new Map();

/**
 * What the server has told a part of the page.
 * @param {string} part
 * @returns {Cell<any>}
 */
export const view = (part) => {
  let cell = views.get(part);
  if (!cell) views.set(part, (cell = empty()));
  return cell;
};

/** The batch that the reader looks back at, 0 for the first; null for the newest. */
export const step = new Cell(/** @type {number | null} */ (null));

/**
 * Which batch to draw of those there are.
 * @param {number} count
 */
export const at = (count) => Math.min(step.value ?? Infinity, count - 1);

/**
 * What the page is used as: a playground; shown to a room, one lesson to a screen; or part of another page.
 * @typedef {"" | "present" | "embed"} Mode
 */
const asked = new URL(location.href).searchParams;
export const mode = new Cell(
  /** @type {Mode} */ (asked.get("embed") === "1" ? "embed" : asked.get("present") === "1" ? "present" : ""),
);

/** The curve that the reader has chosen; null for the usual one. */
export const curve = new Cell(asked.get("curve"));

/**
 * Which methods a comparison takes and how it sets them; null for all, and for the usual way.
 * @typedef {{methods: string[] | null, knobs: string | null}} Comparing
 */
export const comparing = new Cell(
  /** @type {Comparing} */ ({
    methods: asked.get("compare")?.split("\n") ?? null, // no name has a line break
    knobs: asked.get("knobs"),
  }),
);

/** The preset of the plane that is asked for; null for the first. */
export const preset = new Cell(asked.get("preset"));

/** How the run stands; `local` where the browser says so ahead of the server. */
export const run = new Cell(/** @type {Run} */ ({ state: "idle" }));

let presses = 0;
/** The number of a press that begins something: Stop names what it is to stop, which it may overtake. */
export const nextPress = () => (presses += 1);

/**
 * Settings as a text that is the same where they are, whatever lesson they are of.
 * @param {Data} settings
 */
export const textOf = (settings) => JSON.stringify(Object.entries({ ...settings, lesson: "" }).sort());

/** The settings that the recorded run came from. @type {Cell<Data | undefined>} */
export const recorded = empty();

/** A saved run has been sent to be opened. */
export const opened = new Cell(false);

/** The settings of the form. @type {Cell<Data | undefined>} */
export const settings = empty();

/**
 * What a run with these settings will cost; null where that is little.
 * @type {Cell<import("../wire.js").Expense | null | undefined>}
 */
export const expense = empty();

/** Settings that the form is asked to take. @type {Cell<Data | undefined>} */
export const choice = empty();

/** Whether a lesson's question stands there and nobody has guessed yet. */
export const asking = new Cell(false);

/** Run is asked for from elsewhere than its button, which takes this back. */
export const start = new Cell(false);

/** What a lesson lets one look at. @type {Cell<import("../wire.js").Looks | undefined>} */
export const looks = empty();

/** The picture of the Corruptions tab. @type {Cell<Data | undefined>} */
export const subject = empty();

/** The same as the server has drawn it: its address and its name. @type {Cell<Data | undefined>} */
export const untouched = empty();

/** What went wrong in the Corruptions tab, "" for nothing. @type {Cell<string | undefined>} */
export const trouble = empty();
