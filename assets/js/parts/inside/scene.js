// @ts-check
/** What the server says of a contender, decoded once, and what is looked at of it. */

import { counts, lines, numbers } from "../../lib/decode.js";

/** @typedef {import("../../wire.js").InsideRun} InsideRun */
/** @typedef {import("../../wire.js").Contender} Contender */
/** @typedef {[number, number]} Place x and y */

/**
 * @typedef {object} Picture
 * @property {number} batch 1 for the first
 * @property {number} picture
 * @property {number} truth -1 where there is none
 * @property {number} before Answer of zero-shot CLIP.
 * @property {number} after
 * @property {number | null} sure In percent; null where it is not known here.
 * @property {Place | null} start
 * @property {Place | null} end
 */
/**
 * @typedef {object} Stay A picture's time in the memory.
 * @property {number} batch @property {number} picture
 * @property {number} label The class that was predicted.
 * @property {number} sure In percent.
 * @property {number} until A batch, 0 for still there.
 * @property {number} truth
 */
/**
 * @typedef {object} Known
 * @property {InsideRun} run
 * @property {Contender} method
 * @property {Contender | undefined} frozen
 * @property {Picture[][]} batches Those that are drawn.
 * @property {Picture[]} flips Examples of the whole run.
 * @property {Stay[]} stays
 * @property {number[][]} drift
 * @property {{before: Map<number, number>[], after: Map<number, number>[]}} confusion
 */
/**
 * @typedef {object} Scene
 * @property {Known} known
 * @property {number} at Which of the drawn batches.
 * @property {"truth" | "answer"} colour
 * @property {"batch" | "run"} span
 * @property {{batch: number, picture: number} | null} chosen
 */

/** @param {number[] | undefined} row @param {number} k @returns {Place | null} */
const placeOf = (row, k) => (row ? [row[2 * k], row[2 * k + 1]] : null);

/** @param {string | undefined} text */
const rows = (text) => lines(text).map(numbers);

/** @param {InsideRun} run @returns {Known} */
export const known = (run) => {
  const [labels, before, after, sure] = [run.labels, run.before, run.after, run.sure].map(rows);
  const [start, end] = [rows(run.features?.start), rows(run.features?.end)];
  const batches = run.batches.map((batch, b) =>
    labels[b].map((truth, k) => ({
      batch,
      picture: k,
      truth,
      before: before[b][k],
      after: after[b][k],
      sure: sure[b][k],
      start: placeOf(start[b], k),
      end: placeOf(end[b], k),
    })),
  );
  const flips = rows(run.flips.shown).map(([batch, picture, truth, before, after]) => ({
    ...{ batch, picture, truth, before, after },
    ...{ sure: null, start: null, end: null },
  }));
  return {
    run,
    method: /** @type {Contender} */ (run.methods.find((one) => one.name === run.method)),
    frozen: run.methods.find((one) => one.name === "zero_shot"),
    batches,
    flips,
    stays: rows(run.memory?.stays).map(([batch, picture, label, sure, until, truth]) => ({
      ...{ batch, picture, label, sure, until, truth },
    })),
    drift: rows(run.drift?.drift),
    confusion: {
      before: lines(run.confusion?.before).map(counts),
      after: lines(run.confusion?.after).map(counts),
    },
  };
};

/** @param {Known} known @param {number} label */
export const word = ({ run }, label) => (label >= 0 ? run.classes[label] : "outside the class list");

/** @param {Picture} picture */
export const isGained = ({ truth, before, after }) => truth >= 0 && before !== truth && after === truth;
/** @param {Picture} picture */
export const isLost = ({ truth, before, after }) => truth >= 0 && before === truth && after !== truth;

/** @param {{batch: number, picture: number}} picture */
export const keyOf = ({ batch, picture }) => `${batch}:${picture}`;

/**
 * The picture of a key among those that are known.
 * @param {Known} known
 * @param {{batch: number, picture: number}} chosen
 * @returns {Picture | undefined}
 */
export const pictureOf = ({ run, batches, flips }, { batch, picture }) =>
  batches[run.batches.indexOf(batch)]?.[picture] ??
  flips.find((one) => one.batch === batch && one.picture === picture);
