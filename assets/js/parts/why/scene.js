// @ts-check
/**
 * Everything the views draw, worked out once a frame from the pictures, the captions and the two learners.
 */

import * as plane from "../../lib/plane.js";

/** @typedef {import("../../lib/plane.js").Contender} Contender */
/** @typedef {import("../../lib/plane.js").LossPart} LossPart */
/** @typedef {import("../../lib/plane.js").Learner} Learner */
/** @typedef {import("../../lib/plane.js").Seen} Seen */

/**
 * @typedef {object} World What the hand can change.
 * @property {number[][]} points Before the shift; the batch first, then earlier pictures.
 * @property {number[]} labels -1 is of none.
 * @property {number} batch
 * @property {number} shift
 * @property {number[]} angles Of the captions, in degrees.
 */
/**
 * @typedef {object} Side
 * @property {Contender} contender
 * @property {Learner} learner
 * @property {Seen} seen
 * @property {Seen} ahead The same one step of Adam later.
 * @property {number[]} counts Answers of the batch by class.
 * @property {LossPart[]} batch The loss on the batch, in parts.
 * @property {LossPart[]} memory
 * @property {number} value
 * @property {number[][]} slopes Each picture's own gradient on its logits, (B, K), of the parts shown.
 * @property {number[][]} pulls Where that pulls its probabilities, (B, K).
 * @property {number[][]} carried How one step of the weights changes its probabilities, (B, K).
 * @property {number} against Pictures that are carried against their own pull.
 * @property {number} accuracy
 * @property {number} classes In use.
 * @property {Set<number>} remembered
 */
/**
 * @typedef {object} Scene
 * @property {number[][]} points @property {number[]} labels @property {number} batch
 * @property {number[][]} captions @property {number[]} angles
 * @property {Side[]} sides
 * @property {{pull: boolean, step: boolean}} show Which arrows.
 * @property {number | null} hovered @property {number | null} pinned A picture.
 * @property {number | null} touched The one that is hovered, else the one kept in view.
 * @property {number | null} caption One that is touched.
 * @property {string | null} part A part of the loss whose pull alone is shown.
 */

const SLIGHT = 1e-6; // a change of probability below this has no direction

/** @param {World} world */
export const placed = (world) => ({
  points: plane.shifted(world.points, world.shift),
  captions: plane.captionsAt(world.angles),
});

/** @param {number[]} a @param {number[]} b */
const opposed = (a, b) => {
  const product = a.reduce((sum, value, k) => sum + value * b[k], 0);
  return Math.hypot(...a) > SLIGHT && Math.hypot(...b) > SLIGHT && product < 0;
};

/**
 * @param {World} world @param {number[][]} points @param {number[][]} captions
 * @param {Contender} contender @param {Learner} learner @param {string | null} part
 * @returns {Side}
 */
export const lookAt = (world, points, captions, contender, learner, part) => {
  const { labels, batch } = world;
  const seen = plane.forward(points, captions, learner.weights);
  const loss = plane.objective(contender, seen.logits, labels, batch, learner.kept);
  const next = plane.step(learner, contender, points, labels, batch, captions);
  const ahead = plane.forward(points, captions, next.weights);
  const answered = seen.logits.slice(0, batch);
  const counts = plane.countAnswers(answered.length ? answered : [captions.map(() => 0)]);
  const shown = loss.batch.filter((one) => !part || one.name === part);
  const slopes = answered.map((row, i) =>
    row.map((_, c) => batch * shown.reduce((sum, one) => sum + one.gradient[i][c], 0)),
  );
  const pulls = slopes.map((slope, i) => plane.pullOnProbs(seen.probs[i], slope));
  const carried = slopes.map((_, i) => ahead.probs[i].map((p, c) => p - seen.probs[i][c]));
  return {
    contender,
    learner,
    seen,
    ahead,
    counts,
    batch: loss.batch,
    memory: loss.memory,
    value: loss.value,
    slopes,
    pulls,
    carried,
    against: pulls.filter((pull, i) => opposed(pull, carried[i])).length,
    accuracy: plane.accuracy(answered, labels.slice(0, batch)),
    classes: plane.classesInUse(counts),
    remembered: new Set(contender.memory ? learner.kept : []),
  };
};

/**
 * Weights on the way from one step to the next, so that points glide.
 * @param {Learner} before @param {Learner} after @param {number} way From 0 to 1. @returns {Learner}
 */
export const between = (before, after, way) => {
  /** @param {import("../../lib/plane.js").Weights} to @param {number} [place] */
  const mixed = (to, place = 0) => {
    const from = plane.weightsOf(before.weights, place);
    const mix = (/** @type {"gamma" | "beta"} */ name) =>
      to[name].map((value, k) => from[name][k] + way * (value - from[name][k]));
    return { gamma: mix("gamma"), beta: mix("beta") };
  };
  const { weights } = after;
  return { ...after, weights: Array.isArray(weights) ? weights.map(mixed) : mixed(weights) };
};
