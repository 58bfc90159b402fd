// @ts-check
/** How classes and losses look on the plane, and what the page calls the losses and their parts. */

/**
 * One colour and one shape a class; the last are for pictures of none. Okabe and Ito's colours that no loss
 * has here.
 */
export const CLASS_COLOURS = ["#E69F00", "#56B4E9", "#009E73", "#8a919c"];
const SHAPES = [
  "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z",
  "M-4.5-4.5h9v9h-9Z",
  "M0-6 5.4 4.2h-10.8Z",
  "M-4.8-3-3-4.8 0-1.8 3-4.8 4.8-3 1.8 0 4.8 3 3 4.8 0 1.8-3 4.8-4.8 3-1.8 0Z",
];

/** @param {number} label -1 is of none. */
export const shapeOf = (label) => SHAPES.at(label) ?? SHAPES[3];
/** @param {number} label */
export const colourOf = (label) => CLASS_COLOURS.at(label) ?? CLASS_COLOURS[3];

const VERMILION = "#D55E00";
const BLUE = "#0072B2";
const GREY = "#6F7782";

/**
 * @type {Record<import("../../lib/plane.js").LossName, {title: string, colour: string, says: string,
 * target: string}>}
 */
export const LOSS_LOOKS = {
  tent: {
    title: "TENT",
    colour: VERMILION,
    says: "Be surer of whatever you answer.",
    target: "its own answer",
  },
  image_to_text: {
    title: "CLIPTTA, image to text",
    colour: BLUE,
    says: "Be surer which of the batch’s captions is yours. CLIPTTA’s main experiments use this one.",
    target: "its own answer among the batch’s captions",
  },
  text_to_image: {
    title: "CLIPTTA, text to image",
    colour: BLUE,
    says: "Every caption of the batch should be surer which picture is its own.",
    target: "its share of each caption",
  },
  symmetric: {
    title: "CLIPTTA, symmetric",
    colour: BLUE,
    says: "Image to text and text to image together, as in CLIP’s own training.",
    target: "its own answer among the batch’s captions",
  },
  hard: {
    title: "CLIPTTA, hard",
    colour: BLUE,
    says: "Your own caption, and no other of the batch, is right.",
    target: "the class it answers, for certain",
  },
  truth: {
    title: "Cross-entropy with the truth",
    colour: GREY,
    says: "What one would wish for, and cannot have: at test time there are no labels.",
    target: "the truth",
  },
};

/**
 * @type {Record<string, {formula: [string, string, string], says: string}>} Formula: before, letter, index.
 */
export const PART_LOOKS = {
  entropy: { formula: ["mean H(", "p", "i"], says: "entropy of each answer" },
  prior_entropy: { formula: ["mean H(", "π", "i"], says: "entropy under the batch’s own class frequencies" },
  frequency_penalty: { formula: ["mean Σ (", "π", "ic"], says: "penalty on frequent classes" },
  caption_entropy: { formula: ["mean H(", "r", "c"], says: "entropy of each caption’s choice of pictures" },
  hard_match: { formula: ["mean −log(", "q", "ii"], says: "own caption against those of the batch" },
  truth: { formula: ["mean −log(", "p", "i, truth"], says: "cross-entropy with the labels" },
  diversity: { formula: ["−H(", "p̄", ""], says: "bonus for answers spread over the classes" },
};
