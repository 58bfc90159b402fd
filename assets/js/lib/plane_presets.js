// @ts-check
/** Situations worth seeing on the plane: pictures, and two contenders to put side by side. */

/** @typedef {import("./plane.js").Contender} Contender */
/**
 * @typedef {object} Preset
 * @property {string} name As links name it: ?tab=why&preset=collapse
 * @property {string} title
 * @property {string} look What to look for.
 * @property {number} shift How hard the corruption pushes; 0 leaves the pictures around their captions.
 * @property {number} seed Of the cloud.
 * @property {number[]} [counts] Pictures of each class, for a cloud.
 * @property {number[][]} [pictures] Pictures one by one: angle in degrees, distance, class (-1: of none of
 * them).
 * @property {number[]} [earlier] Pictures of each class seen before this batch; only a memory knows them.
 * @property {number} [touch] The picture whose numbers are shown first.
 * @property {[Contender, Contender]} sides
 */

/** @param {Contender["loss"]} loss @param {("diversity" | "memory")[]} extras @returns {Contender} */
const contender = (loss, ...extras) => ({
  loss,
  diversity: extras.includes("diversity"),
  memory: extras.includes("memory"),
});

export const CAPTIONS = ["a cat", "a dog", "a bird"];
export const ANGLES = [90, 210, 330];

/** @type {Preset[]} */
export const PRESETS = [
  {
    name: "small",
    title: "A small shift",
    look:
      "The corruption has pushed all pictures a little towards “a cat”. Press Play. TENT makes every " +
      "answer surer, and on this cloud that also makes more of them right. Then push the shift up, and " +
      "play again.",
    shift: 0.6,
    seed: 6,
    counts: [10, 10, 10],
    touch: 12,
    sides: [contender("tent"), contender("image_to_text")],
  },
  {
    name: "collapse",
    title: "TENT collapses",
    look:
      "Pushed harder, most pictures lean to “a cat”. Moving everybody there makes every answer surer, " +
      "and in TENT’s loss (A) nothing objects: the whole cloud slides onto one caption. The contrast (B) " +
      "keeps it spread, up to a point: the curve shows a shift from which on it does not. Then take the " +
      "tick from sharing on both sides, and play again: not one answer changes, for worse or better.",
    shift: 1.4,
    seed: 6,
    counts: [10, 10, 10],
    touch: 12,
    sides: [contender("tent"), contender("image_to_text")],
  },
  {
    name: "parts",
    title: "Which part helps",
    look:
      "TENT with one more term, a bonus for answers that spread over the classes, does not collapse (A). " +
      "The contrast alone, without the bonus, does not either (B): here one of the two is enough. Switch " +
      "the bonus off in A, and on in B.",
    shift: 1.4,
    seed: 6,
    counts: [10, 10, 10],
    touch: 12,
    sides: [contender("tent", "diversity"), contender("image_to_text")],
  },
  {
    name: "frequent",
    title: "A frequent class",
    look:
      "Two thirds of these pictures really are cats. TENT (A) keeps most answers there: its prejudice " +
      "happens to be true. In the contrast (B) the pull of a frequent caption fades, deserved or not, and " +
      "the rare ones win cats away. Tick the bonus in B: it asks for even thirds, which costs right " +
      "answers, too. No loss here can know.",
    shift: 0.7,
    seed: 6,
    counts: [20, 5, 5],
    touch: 24,
    sides: [contender("tent"), contender("image_to_text")],
  },
  {
    name: "ambiguous",
    title: "A picture in doubt",
    look:
      "One dog lies on the border and leans to “a cat” by a hair. On its own, image to text (A) pulls it " +
      "on towards “a cat”. Text to image (B) pulls it the other way, as “a cat” already has clearer " +
      "pictures. Compare the purple arrows in the two triangles.",
    shift: 0,
    seed: 0,
    pictures: [
      [149, 0.9, 1],
      [92, 0.9, 0],
      [70, 0.8, 0],
      [222, 0.8, 1],
      [330, 0.9, 2],
      [312, 0.8, 2],
    ],
    touch: 0,
    sides: [contender("image_to_text"), contender("text_to_image")],
  },
  {
    name: "collapsed",
    title: "A collapsed batch",
    look:
      "Every picture already answers “a cat”. Then all captions of the batch are the same and the " +
      "contrast has nothing to compare: its gradient is exactly zero, and Play moves nothing in A. The " +
      "diversity bonus (B) can still pull.",
    shift: 2.7,
    seed: 3,
    counts: [10, 10, 10],
    touch: 12,
    sides: [contender("image_to_text"), contender("image_to_text", "diversity")],
  },
  {
    name: "one",
    title: "A batch of one",
    look:
      "One picture alone has no other captions to be contrasted with: in A nothing moves. The memory in B " +
      "kept sure pictures of earlier batches (dark rings), and they give the contrast something to work " +
      "with. Where the shift is large, what it kept is wrong as well, and the picture stays lost.",
    shift: 0.9,
    seed: 5,
    pictures: [[172, 0.5, 1]],
    earlier: [8, 8, 8],
    touch: 0,
    sides: [contender("image_to_text"), contender("image_to_text", "memory")],
  },
  {
    name: "unknown",
    title: "Unknown pictures",
    look:
      "The grey crosses show none of the three. No loss here knows that: in the end each is as sure of " +
      "some caption as the other pictures are of theirs, and nothing tells them apart any more. To hold " +
      "them back is what CLIPTTA’s open-set part is for, which this plane leaves out.",
    shift: 0.7,
    seed: 6,
    counts: [7, 7, 7],
    pictures: [
      [20, 0.12, -1],
      [75, 0.2, -1],
      [130, 0.15, -1],
      [185, 0.22, -1],
      [250, 0.1, -1],
      [290, 0.25, -1],
      [335, 0.18, -1],
      [100, 0.05, -1],
    ],
    touch: 25,
    sides: [contender("tent"), contender("image_to_text")],
  },
  {
    name: "absent",
    title: "An absent class",
    look:
      "There are no birds here, and nobody answers “a bird”. For image to text (A) that caption does not " +
      "exist, and nobody is pulled to it. The diversity bonus (B) wants answers there all the same, and " +
      "moves dogs and cats to get them.",
    shift: 0.3,
    seed: 8,
    pictures: [
      [80, 0.7, 0],
      [95, 0.9, 0],
      [110, 0.6, 0],
      [125, 0.8, 0],
      [88, 0.5, 0],
      [102, 1.0, 0],
      [190, 0.8, 1],
      [205, 0.9, 1],
      [220, 0.7, 1],
      [212, 1.0, 1],
      [198, 0.6, 1],
      [228, 0.9, 1],
    ],
    touch: 11,
    sides: [contender("image_to_text"), contender("image_to_text", "diversity")],
  },
];

/** The preset of a name; the first where there is none of it. @param {string | null} name */
export const presetNamed = (name) => PRESETS.find((preset) => preset.name === name) ?? PRESETS[0];
