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
      "and in TENT’s loss nothing objects: the whole cloud slides onto one caption. The contrast on the " +
      "right keeps it spread.",
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
      "TENT with one more term, a bonus for answers that spread over the classes, does not collapse " +
      "either. The contrast keeps them spread without it, too: here one of the two is enough. Switch " +
      "each off and on.",
    shift: 1.4,
    seed: 6,
    counts: [10, 10, 10],
    touch: 12,
    sides: [contender("tent", "diversity"), contender("image_to_text", "diversity")],
  },
  {
    name: "frequent",
    title: "A frequent class",
    look:
      "Two thirds of these pictures really are cats. Whatever spreads answers evenly now takes right " +
      "ones away: here TENT does better, because its prejudice happens to be true. Neither loss can " +
      "know.",
    shift: 0.7,
    seed: 6,
    counts: [20, 5, 5],
    touch: 24,
    sides: [contender("tent"), contender("image_to_text", "diversity")],
  },
  {
    name: "ambiguous",
    title: "A picture in doubt",
    look:
      "One dog lies on the border and leans to “a cat” by a hair. On its own, image to text pulls it on " +
      "towards “a cat”. Text to image pulls it the other way, as “a cat” already has clearer pictures. " +
      "Compare the coloured arrows.",
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
      "contrast has nothing to compare: its gradient is exactly zero, and Play moves nothing on the " +
      "left. The diversity bonus can still pull.",
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
      "One picture alone has no other captions to be contrasted with: on the left nothing moves. The " +
      "memory on the right kept sure pictures of earlier batches (the rings), and they give the " +
      "contrast something to work with.",
    shift: 0.9,
    seed: 5,
    pictures: [[172, 0.5, 1]],
    earlier: [8, 8, 8],
    touch: 0,
    sides: [contender("image_to_text"), contender("image_to_text", "diversity", "memory")],
  },
  {
    name: "unknown",
    title: "Unknown pictures",
    look:
      "The grey crosses show none of the three. No loss here knows that: each is made sure of some " +
      "caption all the same, and pulls on the weights that everybody shares. CLIPTTA needs its open-set " +
      "part for these.",
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
    sides: [contender("tent"), contender("image_to_text", "diversity")],
  },
  {
    name: "absent",
    title: "An absent class",
    look:
      "There are no birds here, and nobody answers “a bird”. For image to text that caption does not " +
      "exist: it pulls nothing. The diversity bonus wants answers there all the same, and moves dogs " +
      "and cats to get them.",
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
