/** Where the frame lies on the canvas: in CSS pixels, with a scale and an offset. */

/** @import {Point} from "./ids.js" */

const MARGIN = 12;
const MOST = 32; // CSS pixels per pixel of the frame

export class Viewport {
  constructor() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.fitted = true;
    this.canvas = { width: 1, height: 1 };
    this.image = { width: 1, height: 1 };
  }

  /** @param {{width: number, height: number}} canvas @param {{width: number, height: number}} image */
  resize(canvas, { width, height }) {
    const other = width !== this.image.width || height !== this.image.height;
    this.canvas = canvas;
    this.image = { width: Math.max(1, width), height: Math.max(1, height) };
    if (this.fitted || other) this.fit();
  }

  get fitting() {
    const { canvas, image } = this;
    return Math.max(
      0.01,
      Math.min((canvas.width - 2 * MARGIN) / image.width, (canvas.height - 2 * MARGIN) / image.height),
    );
  }

  fit() {
    this.scale = this.fitting;
    this.x = (this.canvas.width - this.image.width * this.scale) / 2;
    this.y = (this.canvas.height - this.image.height * this.scale) / 2;
    this.fitted = true;
  }

  /** @param {Point} at on the canvas; stays where it is @param {number} factor */
  zoom(at, factor) {
    const [x, y] = this.toImage(at);
    this.scale = Math.min(MOST, Math.max(this.fitting / 2, this.scale * factor));
    this.x = at[0] - x * this.scale;
    this.y = at[1] - y * this.scale;
    this.fitted = false;
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
  }

  /** @param {Point} at on the canvas @returns {Point} on the frame */
  toImage([x, y]) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  /** @param {Point} at on the frame @returns {Point} on the canvas */
  toCanvas([x, y]) {
    return [x * this.scale + this.x, y * this.scale + this.y];
  }
}
