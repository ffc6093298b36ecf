/** Ids as colours, on a canvas of the map's size. */

import { clip } from "./ids.js";

/** @import {IdMap} from "./png.js" */
/** @import {Rect} from "./ids.js" */
/** @import {View} from "./store.js" */
/** @import {Obj} from "./types.js" */
/**
 * RGBA of each id; edge: of its outline.
 * @typedef {{fill: Uint32Array, edge: Uint32Array | null, thickness: number}} Look
 */

/** @param {string} colour "#rrggbb" @param {number} alpha 0..1 @returns {number} as the bytes of ImageData */
export function rgba(colour, alpha) {
  const value = parseInt(colour.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * @param {Obj[]} objects @param {ReadonlySet<number>} hidden @param {View} view @param {number} opacity
 * @param {number} height of the map @returns {Look}
 */
export function lookOf(objects, hidden, view, opacity, height) {
  const [fill, edge] = [new Uint32Array(256), new Uint32Array(256)];
  for (const { id, colour } of objects) {
    if (hidden.has(id) || view === "frame") continue;
    fill[id] = view === "cutout" ? 0xffffffff : view === "overlay" ? rgba(colour, opacity) : 0;
    edge[id] = rgba(colour, view === "overlay" ? Math.min(1, opacity * 1.8) : 1);
  }
  const thickness = Math.max(1, Math.round((view === "outline" ? 2.2 : 1.2) * (height / 540)));
  return { fill, edge: view === "overlay" || view === "outline" ? edge : null, thickness };
}

/** @param {IdMap} map @param {Rect} rect @param {Look} look @param {Uint32Array} out the rectangle's pixels */
function colour({ ids, width, height }, rect, { fill, edge, thickness }, out) {
  const step = thickness * width;
  let to = 0;
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const [above, below] = [y >= thickness, y + thickness < height];
    for (let x = rect.x; x < rect.x + rect.width; x++, to++) {
      const i = y * width + x;
      const id = ids[i];
      if (!id) continue;
      const border =
        edge &&
        ((above && ids[i - step] !== id) ||
          (below && ids[i + step] !== id) ||
          (x >= thickness && ids[i - thickness] !== id) ||
          (x + thickness < width && ids[i + thickness] !== id));
      out[to] = border ? edge[id] : fill[id];
    }
  }
}

export class Overlay {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
  }

  /** @param {IdMap} map @param {Look} look @param {Rect} [rect] what has changed since; all if left out */
  draw(map, look, rect) {
    const { canvas } = this;
    if (canvas.width !== map.width || canvas.height !== map.height) {
      Object.assign(canvas, { width: map.width, height: map.height });
      rect = undefined;
    }
    const { x, y, width, height } = rect ?? { x: 0, y: 0, width: map.width, height: map.height };
    const t = look.thickness; // outlines reach so far
    const wide = clip(map, x - t, y - t, x + width + t, y + height + t);
    if (!wide.width || !wide.height) return;
    const pixels = this.context.createImageData(wide.width, wide.height);
    colour(map, wide, look, new Uint32Array(pixels.data.buffer));
    this.context.putImageData(pixels, wide.x, wide.y);
  }
}
