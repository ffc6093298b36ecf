/** The pictures of the open project, decoded, as many as fit. */

import { api } from "./api.js";
import { Loader } from "./loader.js";

const MOST_BYTES = 384 << 20;

/** @typedef {"display" | "full"} Size */

/** @param {number} frame @param {Size} size */
const key = (frame, size) => `${size}/${frame}`;

export class Frames {
  /** @param {string} project */
  constructor(project) {
    /** @type {Loader<ImageBitmap>} */
    this.loader = new Loader(
      async (wish, signal) => {
        const [size, frame] = wish.split("/");
        return createImageBitmap(await api.frame(project, Number(frame), /** @type {Size} */ (size), signal));
      },
      (picture) => picture.width * picture.height * 4,
      MOST_BYTES,
    ); // what falls out of the cache may still be drawn: the collector closes it
  }

  /** @param {number} frame @param {Size} size */
  get(frame, size) {
    return this.loader.get(key(frame, size));
  }

  /** @param {number} frame @param {Size} size */
  load(frame, size) {
    return this.loader.load(key(frame, size));
  }

  close() {
    this.loader.close();
  }
}
