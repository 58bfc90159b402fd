// @ts-check
// Files to keep.

import { h } from "./dom.js";

/**
 * The bytes that a text in base64 stands for.
 * @param {string} base64
 */
export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/**
 * Offer bytes as a file to keep.
 * @param {string} name
 * @param {string} kind MIME type
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export const save = (name, kind, bytes) => {
  const link = h("a", { href: URL.createObjectURL(new Blob([bytes], { type: kind })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};
