/** What was clicked on one object of one frame. Marks are never changed: each function answers with others. */

import { count } from "./format.js";

/** @import {Point} from "./ids.js" */
/** @import {Candidate} from "./types.js" */
/** @typedef {{x: number, y: number, positive: boolean}} Dot a pixel of the frame, and whether the object is there */
/** @typedef {[number, number, number, number]} Corners pixels: left, top, right, bottom */
/**
 * @typedef {object} Marks
 * @property {Dot[]} dots
 * @property {Corners | null} box
 * @property {number} candidate which reading of the first click was taken
 * @property {Candidate[] | null} found what the server answered; null: it has not been asked
 */

/** @type {Marks} */
export const NONE = { dots: [], box: null, candidate: 0, found: null };

/** @param {Marks} marks */
export const empty = ({ dots, box }) => !dots.length && !box;

/** @param {Marks} marks @param {Dot} dot @returns {Marks} */
export const added = (marks, dot) => ({ ...marks, dots: [...marks.dots, dot], found: null });

/** @param {Marks} marks @param {Corners} box @returns {Marks} in place of an earlier one */
export const boxed = (marks, box) => ({ ...marks, box, candidate: 0, found: null });

/** A dot elsewhere, or (null) nowhere. @param {Marks} marks @param {Dot} dot @param {Dot | null} now @returns {Marks} */
export function replaced(marks, dot, now) {
  const dots = marks.dots.flatMap((one) => (one !== dot ? [one] : now ? [now] : []));
  return { ...marks, dots, candidate: 0, found: null };
}

/** @param {Marks} marks as one says it: a box and 2 clicks */
export const words = ({ dots, box }) =>
  [...(box ? ["a box"] : []), ...(dots.length ? [count(dots.length, "click")] : [])].join(" and ");

/** How many readings of it there are to choose from. @param {Marks} marks */
export const readings = ({ dots, found }) => (dots.length === 1 ? (found?.length ?? 0) : 0);

/** The next reading. @param {Marks} marks @param {number} by @returns {Marks} */
export function turned(marks, by) {
  const count = readings(marks);
  return count ? { ...marks, candidate: (marks.candidate + by + count) % count } : marks;
}

/** @param {Marks} marks */
export const chosen = ({ candidate, found }) => found?.[candidate] ?? found?.[0];

/** @param {Point} point @returns {Point} the pixel it lies in */
export const pixel = ([x, y]) => [Math.floor(x), Math.floor(y)];

/**
 * The pixels in which a drag began and ended, brought into the frame, as corners of a box.
 * @param {Point} a @param {Point} b @param {{width: number, height: number}} frame @returns {Corners}
 */
export function cornersOf(a, b, { width, height }) {
  const into = (/** @type {number} */ v, /** @type {number} */ size) => Math.min(size - 1, Math.max(0, Math.floor(v)));
  const [xs, ys] = [[into(a[0], width), into(b[0], width)], [into(a[1], height), into(b[1], height)]];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
