// @ts-check
// What an upload is packed into: archives go as they are, all else in one tar, because Gradio's own upload
// would lose the folders, which name the classes. Format: POSIX.1-2001 (pax).

/** @typedef {{path: string, file: Blob}} Entry */

const BLOCK = 512;
const LONGEST = 100; // bytes of a name in a plain header
const KEPT = 1000; // letters of a path; the server reads the last folder and the name
const utf8 = new TextEncoder();

/**
 * @param {number} number
 * @param {number} digits
 */
const octal = (number, digits) => number.toString(8).padStart(digits, "0");

/**
 * @param {Uint8Array} name
 * @param {number} size
 * @param {"0" | "x"} type a file, or a pax header for the next one
 */
const header = (name, size, type) => {
  const block = new Uint8Array(BLOCK);
  /**
   * @param {string} text
   * @param {number} at
   */
  const put = (text, at) => block.set(utf8.encode(text), at);
  const owner = "0000000\0";
  block.set(name.subarray(0, LONGEST), 0);
  put(`0000644\0${owner}${owner}${octal(size, 11)}\0${octal(0, 11)}\0${" ".repeat(8)}${type}`, LONGEST);
  put("ustar\x0000", 257);
  const sum = block.reduce((all, byte) => all + byte, 0); // its own field counts as spaces
  put(`${octal(sum, 6)}\0`, 148);
  return block;
};

/** @param {number} size */
const padding = (size) => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/**
 * A record "27 path=some long name\n", whose number counts itself.
 * @param {Uint8Array} name
 */
const record = (name) => {
  const rest = name.length + " path=\n".length;
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  const block = new Uint8Array(length);
  block.set(utf8.encode(`${length} path=`));
  block.set(name, length - name.length - 1);
  block[length - 1] = "\n".charCodeAt(0);
  return block;
};

/**
 * A tar of files with their paths.
 * @param {Entry[]} entries
 */
export const tar = (entries) => {
  const parts = entries.flatMap(({ path, file }) => {
    const name = utf8.encode(path.slice(-KEPT));
    const plain = name.length <= LONGEST && name.every((byte) => byte < 128);
    const own = plain ? null : record(name);
    const before = own ? [header(utf8.encode("pax"), own.length, "x"), own, padding(own.length)] : [];
    return [...before, header(name, file.size, "0"), file, padding(file.size)];
  });
  return new Blob([...parts, new Uint8Array(2 * BLOCK)]);
};

/**
 * The files to send for what was picked.
 * @param {Entry[]} entries
 * @param {string[]} archives endings of archives
 * @returns {{name: string, blob: Blob}[]}
 */
export const pack = (entries, archives) => {
  /** @param {Entry} entry */
  const isArchive = ({ path }) =>
    !path.includes("/") && archives.some((ending) => path.toLowerCase().endsWith(ending));
  const loose = entries.filter((entry) => !isArchive(entry));
  const files = entries.filter(isArchive).map(({ path, file }) => ({ name: path, blob: file }));
  return loose.length ? [...files, { name: "pictures.tar", blob: tar(loose) }] : files;
};

/**
 * A name with 16 hexadecimal digits in front: equal files of two visitors would share an address on the
 * server. The server takes the digits off again.
 * @param {string} name
 */
export const apart = (name) => {
  const digits = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) =>
    byte.toString(16).padStart(2, "0"),
  );
  return `${digits.join("")}-${name}`;
};

/**
 * All files of an entry that was dropped, folders opened, until there are more than may come.
 * @param {FileSystemEntry} entry
 * @param {Entry[]} into
 * @param {number} most
 * @returns {Promise<void>}
 */
export const gather = async (entry, into, most) => {
  if (into.length > most) return;
  if (entry.isFile) {
    const own = /** @type {FileSystemFileEntry} */ (entry);
    const file = await new Promise((take, refuse) => own.file(take, refuse));
    into.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((take, refuse) => reader.readEntries(take, refuse));
    if (!some.length || into.length > most) return;
    for (const one of some) await gather(one, into, most);
  }
};
