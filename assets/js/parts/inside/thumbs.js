// @ts-check
/** Thumbnails of pictures, asked for once each; elements that wait for one are filled when it has come. */

import { numbers } from "../../lib/decode.js";
import { h } from "../../lib/dom.js";
import { bytesOf } from "../../lib/files.js";
import { keyOf } from "./scene.js";

const MOST = 256; // pictures in one question
const KEPT = 4000; // thumbnails

/** @typedef {{address: string, size: string, position: string}} Thumb */

/** @param {number} place @param {number} count */
const percent = (place, count) => `${count > 1 ? (100 * place) / (count - 1) : 0}%`;

/** @param {() => void} wanted called when there is something to ask for */
export const thumbStore = (wanted) => {
  /** @type {Map<string, Thumb | null>} null where the picture is gone */
  const known = new Map();
  /** @type {Map<string, HTMLElement[]>} */
  const waiting = new Map();
  /** @type {string[]} */
  let asked = [];
  /** @type {string[]} */
  let addresses = [];

  /** @param {HTMLElement} node @param {Thumb | null} thumb */
  const fill = (node, thumb) => {
    node.classList.toggle("gone", !thumb);
    if (!thumb) return;
    node.style.backgroundImage = `url("${thumb.address}")`;
    node.style.backgroundSize = thumb.size;
    node.style.backgroundPosition = thumb.position;
  };
  const clear = () => {
    addresses.forEach((address) => URL.revokeObjectURL(address));
    addresses = [];
    known.clear();
    waiting.clear();
  };

  return {
    clear,
    /**
     * A square that shows a picture.
     * @param {{batch: number, picture: number}} picture
     */
    tile: (picture) => {
      const key = keyOf(picture);
      const node = h("div", { class: "pic", "data-tile": key });
      const thumb = known.get(key);
      if (thumb !== undefined) fill(node, thumb);
      else {
        const others = (waiting.get(key) ?? []).filter((one) => one.isConnected);
        waiting.set(key, [...others, node]);
        wanted();
      }
      return node;
    },
    /** The next pictures to ask for; [] where none is waited for. @returns {number[][]} */
    next: () => {
      if (known.size > KEPT) clear();
      for (const [key, nodes] of waiting) if (!nodes.some((one) => one.isConnected)) waiting.delete(key);
      asked = [...waiting.keys()].slice(0, MOST);
      return asked.map((key) => key.split(":").map(Number));
    },
    /** @param {import("../../wire.js").InsideSheet} sheet */
    take: ({ sprite, columns, tiles }) => {
      const flat = numbers(tiles);
      const count = flat.length / 2;
      const across = Math.max(1, Math.min(columns, count));
      const down = Math.ceil(count / across);
      const bytes = bytesOf(sprite.split(",")[1]);
      const address = count ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "";
      if (address) addresses.push(address);
      for (const key of asked) known.set(key, null);
      for (let k = 0; k < count; k++) {
        known.set(`${flat[2 * k]}:${flat[2 * k + 1]}`, {
          address,
          size: `${100 * across}% ${100 * down}%`,
          position: `${percent(k % across, across)} ${percent(Math.floor(k / across), down)}`,
        });
      }
      for (const key of asked) {
        for (const node of waiting.get(key) ?? []) fill(node, known.get(key) ?? null);
        waiting.delete(key);
      }
    },
  };
};

/** @typedef {ReturnType<typeof thumbStore>} Thumbs */
