// @ts-check
// A burst of pictures from the camera of the machine, as files.

import { h } from "./dom.js";

const SIDE = 640; // pixels of the longer side that is asked for; pictures become squares of 224
const BETWEEN = 250; // milliseconds between two pictures, in which a hand moves what it shows

export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * Show in a video element what the camera sees.
 * @param {HTMLVideoElement} video
 */
export const open = async (video) => {
  const size = { width: { ideal: SIDE }, height: { ideal: SIDE } };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: size });
  await video.play();
};

/** @param {HTMLVideoElement} video */
export const close = (video) => {
  const stream = video.srcObject;
  if (stream instanceof MediaStream) for (const track of stream.getTracks()) track.stop();
  video.srcObject = null;
};

/**
 * So many pictures, one after another, as long as the camera is open.
 * @param {HTMLVideoElement} video
 * @param {number} count
 * @param {(done: number) => void} taken is told how many there are
 * @returns {Promise<{path: string, file: Blob}[]>}
 */
export const burst = async (video, count, taken) => {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  const pen = canvas.getContext("2d");
  const entries = [];
  while (pen && video.srcObject && entries.length < count) {
    pen.drawImage(video, 0, 0);
    /** @type {Blob | null} */
    const file = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    if (file) entries.push({ path: `camera ${entries.length + 1}.jpg`, file });
    taken(entries.length);
    await new Promise((done) => setTimeout(done, BETWEEN));
  }
  return entries;
};
