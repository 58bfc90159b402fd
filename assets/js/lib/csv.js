// @ts-check

/** @param {string} text */
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/**
 * A table as CSV; what is null or undefined is an empty cell.
 * @param {string[]} columns
 * @param {(string | number | null | undefined)[][]} rows
 */
export const csv = (columns, rows) =>
  [columns, ...rows].map((row) => row.map((cell) => quoted(String(cell ?? ""))).join(",") + "\n").join("");
