// @ts-check
/**
 * A CLIP in two dimensions, and how test-time adaptation trains it: pure functions of plain arrays.
 *
 * Pictures are points x, captions unit vectors t_c. As in TENT and CLIPTTA only a normalization's scale
 * gamma and shift beta are trained, and all pictures share them:
 *
 *     u = gamma * x + beta,   z = u / |u|,   logits l_c = scale * z . t_c,   p = softmax(l)
 *
 * Losses are functions of logits and come with their gradients, worked out by hand. They are those of
 * clip_tta_core/losses.py; a test compares both, values and gradients.
 *
 * Letters: B pictures, K captions. A loss is a list of parts that add up.
 */

/** @typedef {number[][]} Rows One row per picture. */
/** @typedef {{gamma: number[], beta: number[]}} Weights */
/** @typedef {Weights | Weights[]} Trained One for all pictures, or one for each of them. */
/**
 * @typedef {object} LossPart
 * @property {string} name
 * @property {number} value In nats.
 * @property {Rows} gradient With respect to the logits, (B, K).
 * @property {number[] | null} each Every picture's share of the value; null where a part has no such shares.
 */
/** @typedef {"tent" | "image_to_text" | "text_to_image" | "symmetric" | "hard" | "truth"} LossName */
/**
 * @typedef {object} Contender
 * @property {LossName} loss @property {boolean} diversity @property {boolean} memory
 * @property {boolean} [alone] Whether every picture trains weights of its own: a step then takes it where its
 * own gradient does, and nowhere else.
 */
/**
 * @typedef {object} Seen What the model makes of the pictures.
 * @property {Rows} moved u, (B, 2).
 * @property {Rows} features z, (B, 2).
 * @property {Rows} logits (B, K).
 * @property {Rows} probs (B, K).
 */

export const SCALE = 8; // CLIP's is about 100, in a space of 512 dimensions
export const RATE = 0.05; // Adam's
export const SHOTS = 4; // pictures the memory keeps of each class
export const LOSSES = /** @type {LossName[]} */ ([
  "tent",
  "image_to_text",
  "text_to_image",
  "symmetric",
  "hard",
  "truth",
]);
const SMALL = 1e-6; // inside the logarithm of the diversity bonus, as in losses.py
const SHORTEST = 1e-9; // below this length a point has no direction

/** The place of the largest number, the first of equals. @param {number[]} row */
export const argmax = (row) => row.indexOf(Math.max(...row));

/** @param {number[]} a @param {number[]} b */
const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);

/** @param {number[]} row */
const total = (row) => row.reduce((sum, value) => sum + value, 0);

/** @param {number[]} row */
export const softmax = (row) => {
  const top = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - top));
  const sum = total(powers);
  return powers.map((value) => value / sum);
};

/** The logarithm of softmax, finite also where softmax is 0. @param {number[]} row */
const logSoftmax = (row) => {
  const top = Math.max(...row);
  const sum = Math.log(total(row.map((value) => Math.exp(value - top))));
  return row.map((value) => value - top - sum);
};

/** Entropy of a distribution given by its logarithm, in nats. @param {number[]} log */
const entropyOf = (log) => -total(log.map((value) => (value === -Infinity ? 0 : Math.exp(value) * value)));

/** @param {Rows} rows */
const mean = (rows) => rows[0].map((_, k) => total(rows.map((row) => row[k])) / rows.length);

/** @param {Rows} rows @returns {Rows} */
const transpose = (rows) => rows[0].map((_, k) => rows.map((row) => row[k]));

/** Unit vectors at angles in degrees. @param {number[]} degrees @returns {Rows} */
export const captionsAt = (degrees) =>
  degrees.map((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]);

/** @returns {Weights} */
export const untrained = () => ({ gamma: [1, 1], beta: [0, 0] });

/** The weights that a picture goes through. @param {Trained} weights @param {number} place */
export const weightsOf = (weights, place) => (Array.isArray(weights) ? weights[place] : weights);

/**
 * What the model sees.
 * @param {Rows} points x, (B, 2). @param {Rows} captions t, (K, 2). @param {Trained} weights
 * @returns {Seen}
 */
export const forward = (points, captions, weights, scale = SCALE) => {
  const moved = points.map((x, i) => {
    const { gamma, beta } = weightsOf(weights, i);
    return x.map((value, k) => gamma[k] * value + beta[k]);
  });
  const features = moved.map((u) => {
    const length = Math.max(Math.hypot(u[0], u[1]), SHORTEST);
    return [u[0] / length, u[1] / length];
  });
  const logits = features.map((z) => captions.map((t) => scale * dot(z, t)));
  return { moved, features, logits, probs: logits.map(softmax) };
};

/** How many pictures answer each class. @param {Rows} logits */
export const countAnswers = (logits) => {
  const counts = logits[0].map(() => 0);
  for (const row of logits) counts[argmax(row)] += 1;
  return counts;
};

/** Classes in use: e to the entropy of the histogram of answers, from 1 to K. @param {number[]} counts */
export const classesInUse = (counts) => {
  const sum = total(counts);
  return Math.exp(-total(counts.map((count) => (count ? (count / sum) * Math.log(count / sum) : 0))));
};

/**
 * What a picture would choose among the captions of the batch: pi_ic proportional to n_c e^(l_ic), where
 * n_c pictures answer class c. Classes nobody answers have no caption there. As logarithms, (B, K).
 * @param {Rows} logits @param {number[]} counts
 */
const logUnderCounts = (logits, counts) =>
  logits.map((row) =>
    logSoftmax(row.map((value, c) => (counts[c] ? value + Math.log(counts[c]) : -Infinity))),
  );

/** The same as probabilities. @param {Rows} logits */
export const underCounts = (logits) =>
  logUnderCounts(logits, countAnswers(logits)).map((row) => row.map((value) => Math.exp(value)));

/** e to a logarithm times a factor; 0 where the probability is. @param {number} log @param {number} factor */
const times = (log, factor) => (log === -Infinity ? 0 : Math.exp(log) * factor);

/**
 * TENT: the mean entropy of the predictions. dH_i/dl_ic = -p_ic (log p_ic + H_i).
 * @param {Rows} logits @returns {LossPart}
 */
const entropy = (logits) => {
  const logs = logits.map(logSoftmax);
  const each = logs.map(entropyOf);
  return {
    name: "entropy",
    value: total(each) / logits.length,
    gradient: logs.map((row, i) => row.map((log) => -times(log, log + each[i]) / logits.length)),
    each,
  };
};

/**
 * Image to text, CLIPTTA's soft contrastive loss, in its two parts: H(q_i) = H(pi_i) + sum_c pi_ic log n_c.
 * The first is entropy under the batch's own class frequencies, the second a penalty on frequent classes.
 * Which class a picture answers, and so n_c, is not differentiated.
 * @param {Rows} logits @returns {LossPart[]}
 */
const imageToText = (logits) => {
  const counts = countAnswers(logits);
  const frequent = counts.map((count) => (count ? Math.log(count) : 0));
  const logs = logUnderCounts(logits, counts);
  const entropies = logs.map(entropyOf);
  const penalties = logs.map((row) => total(row.map((log, c) => times(log, frequent[c]))));
  const size = logits.length;
  return [
    {
      name: "prior_entropy",
      value: total(entropies) / size,
      gradient: logs.map((row, i) => row.map((log) => -times(log, log + entropies[i]) / size)),
      each: entropies,
    },
    {
      name: "frequency_penalty",
      value: total(penalties) / size,
      gradient: logs.map((row, i) => row.map((log, c) => times(log, frequent[c] - penalties[i]) / size)),
      each: penalties,
    },
  ];
};

/**
 * Text to image: every caption of the batch chooses among the pictures, r_ic = softmax over i of l_ic; the
 * mean over captions of the entropy of that choice. A class answered n_c times counts n_c times.
 * @param {Rows} logits @returns {LossPart}
 */
const textToImage = (logits) => {
  const counts = countAnswers(logits);
  const logs = transpose(logits).map(logSoftmax); // (K, B)
  const entropies = logs.map(entropyOf);
  const size = logits.length;
  return {
    name: "caption_entropy",
    value: total(entropies.map((value, c) => value * counts[c])) / size,
    gradient: transpose(
      logs.map((row, c) => row.map((log) => (-counts[c] / size) * times(log, log + entropies[c]))),
    ),
    each: null,
  };
};

/**
 * Hard: each picture's own caption is its only match among the batch's: -log q_ii = -log pi_iy + log n_y.
 * @param {Rows} logits @returns {LossPart}
 */
const hardContrast = (logits) => {
  const counts = countAnswers(logits);
  const logs = logUnderCounts(logits, counts);
  const own = logits.map(argmax);
  const each = logs.map((row, i) => Math.log(counts[own[i]]) - row[own[i]]);
  return {
    name: "hard_match",
    value: total(each) / logits.length,
    gradient: logs.map((row, i) =>
      row.map((log, c) => (Math.exp(log) - Number(c === own[i])) / logits.length),
    ),
    each,
  };
};

/**
 * Cross-entropy with the truth, which no test-time method can see. Unknown pictures (label -1) have no part
 * in it.
 * @param {Rows} logits @param {number[]} labels @returns {LossPart}
 */
const crossEntropy = (logits, labels) => {
  const known = Math.max(1, labels.filter((label) => label >= 0).length);
  const logs = logits.map(logSoftmax);
  const each = logs.map((row, i) => (labels[i] < 0 ? 0 : -row[labels[i]]));
  return {
    name: "truth",
    value: total(each) / known,
    gradient: logs.map((row, i) =>
      row.map((log, c) => (labels[i] < 0 ? 0 : (Math.exp(log) - Number(c === labels[i])) / known)),
    ),
    each,
  };
};

/**
 * The diversity bonus, as a loss: minus the entropy of the mean prediction.
 * d/dl_ic of -H(m) = p_ic (g_c - sum_k p_ik g_k) / B with g_c = log(m_c + 1e-6) + m_c / (m_c + 1e-6).
 * @param {Rows} logits @returns {LossPart}
 */
const diversityBonus = (logits) => {
  const probs = logits.map(softmax);
  const average = mean(probs);
  const slope = average.map((m) => Math.log(m + SMALL) + m / (m + SMALL));
  return {
    name: "diversity",
    value: total(average.map((m) => m * Math.log(m + SMALL))),
    gradient: probs.map((p) => p.map((value, c) => (value * (slope[c] - dot(p, slope))) / logits.length)),
    each: null,
  };
};

/**
 * The parts of a loss without bonus and memory; their values and gradients add up to it.
 * @param {LossName} name @param {Rows} logits @param {number[]} labels @returns {LossPart[]}
 */
export const lossParts = (name, logits, labels) => {
  if (name === "tent") return [entropy(logits)];
  if (name === "image_to_text") return imageToText(logits);
  if (name === "text_to_image") return [textToImage(logits)];
  if (name === "symmetric") return [...imageToText(logits), textToImage(logits)];
  if (name === "hard") return [hardContrast(logits)];
  if (name === "truth") return [crossEntropy(logits, labels)];
  throw new Error(`lossParts: the loss must be one of ${LOSSES.join(", ")}, got '${name}'.`);
};

/**
 * The parts of what a contender minimizes on one group of pictures. Of one picture alone no diversity is
 * asked, as it would only reward doubt.
 * @param {Contender} contender @param {Rows} logits @param {number[]} labels @returns {LossPart[]}
 */
const groupParts = (contender, logits, labels) => [
  ...lossParts(contender.loss, logits, labels),
  ...(contender.diversity && logits.length > 1 ? [diversityBonus(logits)] : []),
];

/**
 * All that a contender minimizes. The memory's pictures are a batch of their own, added to the other, as in
 * CLIPTTA.
 * @param {Contender} contender
 * @param {Rows} logits Of every picture there is, (B + P, K): the batch, then earlier ones.
 * @param {number[]} labels
 * @param {number} batch B.
 * @param {number[]} kept Places of the pictures in the memory.
 * @returns {{batch: LossPart[], memory: LossPart[], value: number, gradient: Rows}} The gradient is of the
 * sum, (B + P, K).
 */
export const objective = (contender, logits, labels, batch, kept) => {
  const own = groupParts(contender, logits.slice(0, batch), labels.slice(0, batch));
  const drawn = contender.memory ? kept : [];
  const replayed = drawn.length
    ? groupParts(
        contender,
        drawn.map((i) => logits[i]),
        drawn.map((i) => labels[i]),
      )
    : [];
  const gradient = logits.map((row) => row.map(() => 0));
  for (const part of own)
    part.gradient.forEach((row, i) => row.forEach((value, c) => (gradient[i][c] += value)));
  for (const part of replayed)
    part.gradient.forEach((row, i) => row.forEach((value, c) => (gradient[drawn[i]][c] += value)));
  return {
    batch: own,
    memory: replayed,
    value: total([...own, ...replayed].map((part) => part.value)),
    gradient,
  };
};

/** @returns {Weights} */
const nothing = () => ({ gamma: [0, 0], beta: [0, 0] });

/**
 * What every picture asks of its weights, from the gradient of the logits through the projection onto the
 * circle.
 * @param {Rows} points @param {Rows} captions @param {Seen} seen @param {Rows} gradient (B, K).
 * @returns {Weights[]}
 */
const slopes = (points, captions, { moved, features }, gradient, scale = SCALE) =>
  points.map((x, i) => {
    const toFeature = [0, 1].map((k) => scale * total(gradient[i].map((value, c) => value * captions[c][k])));
    const along = dot(toFeature, features[i]);
    const length = Math.max(Math.hypot(moved[i][0], moved[i][1]), SHORTEST);
    const beta = toFeature.map((value, k) => (value - along * features[i][k]) / length);
    return { gamma: beta.map((value, k) => value * x[k]), beta };
  });

/**
 * The gradient of the shared weights: the sum of what the pictures ask.
 * @param {Rows} points @param {Rows} captions @param {Seen} seen @param {Rows} gradient (B, K).
 * @returns {Weights}
 */
export const backward = (points, captions, seen, gradient, scale = SCALE) => {
  const sum = nothing();
  for (const own of slopes(points, captions, seen, gradient, scale))
    for (const k of [0, 1]) {
      sum.gamma[k] += own.gamma[k];
      sum.beta[k] += own.beta[k];
    }
  return sum;
};

/**
 * How a small step of descent on its own logits would change a picture's probabilities: where a loss pulls
 * it. dp_c = p_c (d_c - sum_k p_k d_k) with d = -gradient.
 * @param {number[]} probs @param {number[]} gradient Both (K,).
 */
export const pullOnProbs = (probs, gradient) => {
  const inside = dot(probs, gradient);
  return probs.map((p, c) => p * (inside - gradient[c]));
};

/**
 * The class-wise confident memory: places of the surest pictures of each predicted class. The confidence is
 * taken of the cosines as they are, not of the scaled logits, as CLIPTTA's code does.
 * @param {Rows} logits @param {number} scale
 */
export const remember = (logits, scale = SCALE) => {
  const sure = logits.map((row) => Math.max(...softmax(row.map((value) => value / scale))));
  const answers = logits.map(argmax);
  return logits[0].flatMap((_, c) =>
    answers
      .flatMap((answer, i) => (answer === c ? [i] : []))
      .sort((a, b) => sure[b] - sure[a])
      .slice(0, SHOTS),
  );
};

/** @typedef {{weights: Weights, first: Weights, second: Weights}} Adam Weights, and their moments. */
/** @typedef {{weights: Trained, adam: Adam[], steps: number, kept: number[]}} Learner */

/** @returns {Adam} */
const fresh = () => ({ weights: untrained(), first: nothing(), second: nothing() });

/**
 * What is learned, from one state of Adam for all pictures or from one for each.
 * @param {Adam[]} adam @param {boolean} alone @param {number} steps @param {number[]} kept
 * @returns {Learner}
 */
const learnerOf = (adam, alone, steps, kept) => ({
  weights: alone ? adam.map((one) => one.weights) : adam[0].weights,
  adam,
  steps,
  kept,
});

/**
 * A learner at the start; its memory, chosen once, holds the surest pictures as the untrained model sees
 * them.
 * @param {Rows} points Of every picture there is. @param {Rows} captions
 * @param {boolean} [alone] Whether every picture has weights of its own.
 */
export const newLearner = (points, captions, alone = false) => {
  const { logits } = forward(points, captions, untrained());
  const kept = points.length ? remember(logits) : [];
  return learnerOf(alone ? points.map(fresh) : [fresh()], alone, 0, kept);
};

/**
 * The same learner where pictures have new places: what is each one's own goes along, and who is new begins
 * untrained.
 * @param {Learner} learner @param {number} count Of pictures now.
 * @param {(place: number) => number} to Where a picture is now, -1 where it is no more.
 */
export const moved = (learner, count, to) => {
  const alone = Array.isArray(learner.weights);
  const adam = alone ? Array.from({ length: count }, fresh) : learner.adam;
  if (alone)
    learner.adam.forEach((own, place) => {
      if (to(place) >= 0) adam[to(place)] = own;
    });
  const kept = learner.kept.map(to).filter((place) => place >= 0);
  return learnerOf(adam, alone, learner.steps, kept);
};

/**
 * One step of Adam (Kingma and Ba, ICLR 2015, with their constants). What is given is left as it is.
 * @param {Adam} adam @param {Weights} slope @param {number} steps This one included.
 */
const descend = (adam, slope, steps) => {
  const next = fresh();
  for (const name of /** @type {("gamma" | "beta")[]} */ (["gamma", "beta"])) {
    for (const k of [0, 1]) {
      next.first[name][k] = 0.9 * adam.first[name][k] + 0.1 * slope[name][k];
      next.second[name][k] = 0.999 * adam.second[name][k] + 0.001 * slope[name][k] ** 2;
      const first = next.first[name][k] / (1 - 0.9 ** steps);
      const second = next.second[name][k] / (1 - 0.999 ** steps);
      next.weights[name][k] = adam.weights[name][k] - (RATE * first) / (Math.sqrt(second) + 1e-8);
    }
  }
  return next;
};

/**
 * One step on what a contender minimizes. The learner given is left as it is.
 * @param {Learner} learner @param {Contender} contender
 * @param {Rows} points @param {number[]} labels @param {number} batch @param {Rows} captions
 */
export const step = (learner, contender, points, labels, batch, captions) => {
  const seen = forward(points, captions, learner.weights);
  const { gradient } = objective(contender, seen.logits, labels, batch, learner.kept);
  const alone = Array.isArray(learner.weights);
  const asked = alone
    ? slopes(points, captions, seen, gradient)
    : [backward(points, captions, seen, gradient)];
  const steps = learner.steps + 1;
  const adam = learner.adam.map((own, i) => descend(own, asked[i], steps));
  return learnerOf(adam, alone, steps, learner.kept);
};

/**
 * Share of the known pictures that are answered right; NaN where there are none.
 * @param {Rows} logits @param {number[]} labels
 */
export const accuracy = (logits, labels) => {
  const known = labels.flatMap((label, i) => (label >= 0 ? [i] : []));
  return known.filter((i) => argmax(logits[i]) === labels[i]).length / known.length;
};

/**
 * Random numbers from 0 to 1 that a seed repeats: mulberry32, by Tommy Ettinger, in the public domain.
 * @param {number} seed
 */
export const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
  return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
};

/** A normally distributed number, by Box and Muller. @param {() => number} next */
const normal = (next) => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

export const SPREAD = 0.27; // of a class's pictures around their caption
export const SHRUNK = 0.6; // how far out the pictures still are
export const PUSH = 0.6; // how far one unit of shift moves them

/**
 * Pictures of each class around their captions; the shift comes on top (see `shifted`).
 * @param {number[]} counts Pictures of each class. @param {Rows} captions @param {number} seed
 * @returns {{points: Rows, labels: number[]}}
 */
export const cloud = (counts, captions, seed) => {
  const next = random(seed);
  const labels = counts.flatMap((count, c) => Array(count).fill(c));
  const points = labels.map((label) => captions[label].map((t) => SHRUNK * t + SPREAD * normal(next)));
  return { points, labels };
};

/**
 * Pictures after a corruption that pushes all of them towards the top.
 * @param {Rows} points
 * @param {number} shift
 */
export const shifted = (points, shift) => points.map(([x, y]) => [x, y + PUSH * shift]);

/**
 * Train to the end: what `steps` steps make of a cloud.
 * @param {Contender} contender @param {Rows} points @param {number[]} labels @param {number} batch
 * @param {Rows} captions @param {number} steps
 */
export const outcome = (contender, points, labels, batch, captions, steps) => {
  let learner = newLearner(points, captions, contender.alone);
  for (let i = 0; i < steps; i++) learner = step(learner, contender, points, labels, batch, captions);
  const logits = forward(points, captions, learner.weights).logits.slice(0, batch);
  return { accuracy: accuracy(logits, labels.slice(0, batch)), classes: classesInUse(countAnswers(logits)) };
};
