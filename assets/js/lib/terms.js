// @ts-check
/**
 * Terms of the field, with a dotted underline and an explanation wherever they occur. The primer teaches
 * the terms once (`learn`); any part may then have its words looked over (`explain`), before or after that.
 */

/** @typedef {{word: string, says: string, also: string[]}} Term */

const SKIP = "a, button, input, select, textarea, label, summary, svg, dt, h1, h2, h3, caption, .term";
/** @type {Map<string, Term>} */
const known = new Map();
/** @type {RegExp | null} */
let pattern = null;
/** @type {Set<Element>} */
const waiting = new Set();

/** @param {string} text */
const literally = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** @param {Term[]} terms */
export function learn(terms) {
  for (const term of terms) for (const word of [term.word, ...term.also]) known.set(word.toLowerCase(), term);
  const words = [...known.keys()].sort((a, b) => b.length - a.length).map(literally); // the longest first
  pattern = new RegExp(`(?<![\\p{L}\\d-])(?:${words.join("|")})(?![\\p{L}\\d])`, "giu");
  for (const root of waiting) explain(root);
  waiting.clear();
}

/**
 * Write a text into an element, its terms explained. Where it says so already, nothing happens: a word that
 * is being looked at stays.
 * @param {Element} element
 * @param {string} text
 */
export function tell(element, text) {
  if (element.textContent === text) return;
  element.textContent = text;
  explain(element);
}

/** @type {HTMLElement | null} */
let tip = null;
/** @param {HTMLElement} word @param {Term} term */
const open = (word, term) => {
  if (!tip) {
    tip = document.createElement("div");
    tip.className = "ct-tip ct-meaning";
    tip.id = "ct-meaning";
    tip.setAttribute("role", "tooltip");
    document.body.append(tip);
  }
  tip.textContent = term.says;
  tip.hidden = false;
  word.setAttribute("aria-describedby", tip.id);
  const at = word.getBoundingClientRect();
  const box = tip.getBoundingClientRect();
  const left = Math.max(8, Math.min(innerWidth - box.width - 8, at.left));
  const top = at.bottom + box.height + 10 > innerHeight ? at.top - box.height - 6 : at.bottom + 6;
  tip.style.transform = `translate(${left}px, ${top}px)`;
};
/** @param {HTMLElement} word */
const close = (word) => {
  if (tip) tip.hidden = true;
  word.removeAttribute("aria-describedby");
};

/** @param {string} text @param {Term} term */
const wordFor = (text, term) => {
  const word = document.createElement("span");
  word.className = "term";
  word.tabIndex = 0;
  word.setAttribute("role", "note");
  word.textContent = text;
  for (const event of ["pointerenter", "focus", "click"])
    word.addEventListener(event, () => open(word, term));
  for (const event of ["pointerleave", "blur"]) word.addEventListener(event, () => close(word));
  word.addEventListener("keydown", (event) => event.key === "Escape" && close(word));
  return word;
};

/**
 * Underline the first occurrence of each term under an element. Words that are put there later need another
 * call.
 * @param {Element} root
 */
export function explain(root) {
  if (!pattern) return void waiting.add(root);
  /** @type {Set<Term>} */
  const told = new Set();
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const texts = [];
  while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
  for (const text of texts) {
    if (text.parentElement?.closest(SKIP)) continue;
    const said = text.data;
    /** @type {(string | Node)[]} */
    const pieces = [];
    let from = 0;
    for (const match of said.matchAll(pattern)) {
      const term = known.get(match[0].toLowerCase());
      if (!term || told.has(term)) continue;
      told.add(term);
      pieces.push(said.slice(from, match.index), wordFor(match[0], term));
      from = match.index + match[0].length;
    }
    if (from) text.replaceWith(...pieces, said.slice(from));
  }
}
