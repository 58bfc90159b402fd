// @ts-check
// Class lists as they are typed. The rules and their words are the server's, which checks again.

import { CLASS_LIST } from "../wire.js";
import { capitalized, plural } from "./format.js";

/**
 * @param {string} sentence with words in braces
 * @param {Record<string, string | number>} words
 */
const filled = (sentence, words) => {
  const text = sentence.replace(/{(\w+)}/g, (hole, name) => String(words[name] ?? hole));
  return `${capitalized(text)}.`;
};

/** @param {string[]} names */
const listed = (names) => {
  const first = names.slice(0, 3).map((name) => `“${name}”`);
  return first.join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
};

/**
 * The text of a file as people save them: UTF-8, or UTF-16 with its mark; null for anything else.
 * @param {Uint8Array} bytes
 */
export const decoded = (bytes) => {
  const mark = bytes[0] * 256 + bytes[1];
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return text
      .replace(/^\uFEFF/, "")
      .replace(/\r\n?/g, "\n")
      .trim();
  } catch {
    return null;
  }
};

/**
 * The names in a text, and how many entries between separators are empty; what ends the text is none.
 * @param {string} text
 */
export const split = (text) => {
  let parts = [text];
  for (const one of CLASS_LIST.separators) parts = parts.flatMap((part) => part.split(one));
  parts = parts.map((part) => part.trim());
  while (parts.length && !parts[parts.length - 1]) parts.pop();
  const names = parts.filter(Boolean);
  return { names, empty: parts.length - names.length };
};

/**
 * What to say of a list: how many classes it has, and each rule that it breaks.
 * @param {string} text
 * @param {string[]} [known] the words that the model knows, where it does not know all
 * @param {string[] | null} [read] what the server reads in the text, which knows more forms of lists
 * @returns {string[]} sentences; none for an empty list
 */
export const review = (text, known, read) => {
  const typed = split(text);
  const other = Boolean(read) && String(read) !== String(typed.names);
  const { names, empty } = other && read ? { names: read, empty: 0 } : typed;
  if (!names.length) return [];
  const { most, longest, words } = CLASS_LIST;
  const distinct = new Set(names);
  const repeated = [...distinct].filter((name) => names.indexOf(name) !== names.lastIndexOf(name));
  const long = names.filter((name) => name.length > longest);
  const used = new Set(
    names
      .join(" ")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu),
  );
  const strange = known ? [...used].filter((word) => !known.includes(word)) : [];
  const count = plural(distinct.size, "class", "classes");
  const said = [other ? `${count}: ${listed([...distinct])}.` : `${count}.`];
  if (names.length === 1) said.push(filled(words.few, {}));
  if (repeated.length) said.push(filled(words.repeated, { names: listed(repeated) }));
  if (empty) said.push(filled(words.empty, { count: empty }));
  if (strange.length) said.push(filled(words.strange, { names: listed(strange) }));
  if (names.length > most) said.push(filled(words.many, { most, count: names.length }));
  if (long.length) said.push(filled(words.long, { longest }));
  return said;
};
