/** Changes of some pixels of a map of ids: what a tab has done, and takes back, is these and nothing else. */

import { cut } from "./ids.js";
import { decode, fromText } from "./png.js";

/** @import {Rect} from "./ids.js" */
/** @import {IdMap} from "./png.js" */
/** @import {Before, Done} from "./types.js" */
/** @typedef {{rect: Rect, from: Uint8Array, to: Uint8Array}} Change ids of the rectangle's pixels, row by row */
/** @typedef {{before: Before, after: Before, change: Change}} Step as the server has made it, whatever was known here */
/** @typedef {{to: Before, from: Before}} Back what a frame goes back to by an undo, or on to by a redo */

export const LEAVE = 255; // no object's id: the pixel stays as it is

/** @type {Change} */
const NOTHING = {
  rect: { x: 0, y: 0, width: 1, height: 1 },
  from: Uint8Array.of(LEAVE),
  to: Uint8Array.of(LEAVE),
};

/**
 * What makes the one map of the other, if they differ within `rect`.
 * @param {IdMap} before @param {IdMap} after @param {Rect} rect @returns {Change | null}
 */
export function changeOf(before, after, rect) {
  const smallest = difference(before, after, rect);
  if (!smallest) return null;
  const [from, to] = [cut(before, smallest), cut(after, smallest)];
  for (let i = 0; i < to.length; i++) if (from[i] === to[i]) from[i] = to[i] = LEAVE;
  return { rect: smallest, from, to };
}

/** @param {Done} done @returns {Promise<Step>} */
export async function stepOf({ before, after, pixels }) {
  if (!pixels) return { before, after, change: NOTHING };
  const { x, y, png } = pixels;
  const { ids, alpha, width, height } = await decode(fromText(png));
  return { before, after, change: { rect: { x, y, width, height }, from: alpha ?? ids, to: ids } };
}

/** @param {Change} change @returns {Change} what takes it back */
export const reversed = ({ rect, from, to }) => ({ rect, from: to, to: from });

/**
 * The map with the change made; pixels that hold something else by now stay as they are, unless it is `forced`.
 * @param {IdMap} map @param {Change} change @param {boolean} forced @returns {IdMap}
 */
export function changed({ ids, width, height }, { rect, from, to }, forced) {
  const made = { ids: ids.slice(), width, height };
  for (let row = 0, i = 0; row < rect.height; row++) {
    let at = (rect.y + row) * width + rect.x;
    for (let column = 0; column < rect.width; column++, i++, at++) {
      if (to[i] !== LEAVE && (forced || from[i] === ids[at])) made.ids[at] = to[i];
    }
  }
  return made;
}

/**
 * The smallest part of `rect` in which the maps differ; null: nowhere.
 * @param {IdMap} a @param {IdMap} b @param {Rect} rect @returns {Rect | null}
 */
function difference(a, b, rect) {
  let left = Infinity;
  let right = -1;
  let top = -1;
  let bottom = -1;
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    for (let x = rect.x; x < rect.x + rect.width; x++) {
      if (a.ids[y * a.width + x] === b.ids[y * a.width + x]) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (top < 0) top = y;
      bottom = y;
    }
  }
  return bottom < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}
