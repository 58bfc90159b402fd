// @ts-check
// What the parts of the page know in common: the views that the server has told, and what the reader is looking at.
// A cell keeps what was put into it last, and tells it to whoever comes later.

/** @template T */
class Cell {
  /** @param {T} [value] */
  constructor(value) {
    this.value = value;
    /** @type {{element: Element, fn: (value: T) => void}[]} */
    this.listeners = [];
  }

  /**
   * Call a function with what is there and with all that comes, as long as its element is on the page.
   * @param {Element} element
   * @param {(value: T) => void} fn
   */
  follow(element, fn) {
    this.listeners.push({ element, fn });
    if (this.value !== undefined) fn(this.value);
  }

  /** @param {T} value */
  put(value) {
    this.value = value;
    this.listeners = this.listeners.filter(({ element }) => element.isConnected);
    for (const { fn } of [...this.listeners]) fn(value);
  }
}

/** @type {Map<string, Cell<any>>} */
const views = new Map();

/**
 * What the server has told a part of the page.
 * @param {string} part
 * @returns {Cell<any>}
 */
export const view = (part) => {
  let cell = views.get(part);
  if (!cell) views.set(part, (cell = new Cell()));
  return cell;
};

/** The batch that the reader looks back at, 0 for the first; null for the newest. @type {Cell<number | null>} */
export const step = new Cell(/** @type {number | null} */ (null));

/**
 * Which batch to draw of those there are.
 * @param {number} count
 */
export const at = (count) => Math.min(step.value ?? Infinity, count - 1);

/**
 * How the run stands; `local` where the browser says so ahead of the server.
 * @type {Cell<{state: string, done?: number, local?: boolean}>}
 */
export const run = new Cell(/** @type {{state: string, done?: number, local?: boolean}} */ ({ state: "idle" }));

/** The settings of the form. @type {Cell<Record<string, any>>} */
export const settings = new Cell();

/** Settings that the form is asked to take. @type {Cell<Record<string, any>>} */
export const choice = new Cell();

/** The picture of the Corruptions tab. @type {Cell<Record<string, any>>} */
export const subject = new Cell();

/** The same, as the server has drawn it: its address and its name. @type {Cell<{source: string, title: string}>} */
export const untouched = new Cell();

/** What went wrong in the Corruptions tab, "" for nothing. @type {Cell<string>} */
export const trouble = new Cell();
