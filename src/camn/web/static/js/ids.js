/**
 * Drawing on a map of ids. Each operation changes the map in place and answers with the rectangle that it may have
 * changed; `table[old]` is the id that takes a painted pixel's old one's place.
 */

/** @import {IdMap} from "./png.js" */
/** @typedef {[number, number]} Point x, y in pixels; pixel (i, j) covers i..i+1, j..j+1 */
/** @typedef {{x: number, y: number, width: number, height: number}} Rect */

/** @param {number} width @param {number} height @returns {IdMap} */
export const blank = (width, height) => ({ ids: new Uint8Array(width * height), width, height });

/** @param {IdMap} map @returns {IdMap} */
export const copy = (map) => ({ ...map, ids: map.ids.slice() });

/**
 * What painting with `id` makes of each id; id 0 erases.
 * @param {number} id @param {number} object the selected one @param {boolean} protect the other objects
 * @param {number[]} [objects] that there are: pixels of others, which were deleted, are background
 */
export function paintTable(id, object, protect, objects) {
  const table = new Uint8Array(256).fill(id);
  for (let old = 1; protect && old < 256; old++) {
    if (old !== object && (!objects || objects.includes(old))) table[old] = old;
  }
  return table;
}

/** All of it. @param {{width: number, height: number}} map @returns {Rect} */
export const whole = ({ width, height }) => ({ x: 0, y: 0, width, height });

/**
 * @param {{width: number, height: number}} map @param {number} x0 @param {number} y0
 * @param {number} x1 @param {number} y1 @returns {Rect} clipped
 */
export function clip(map, x0, y0, x1, y1) {
  const [left, top] = [Math.max(0, Math.floor(x0)), Math.max(0, Math.floor(y0))];
  const [right, bottom] = [Math.min(map.width, Math.ceil(x1)), Math.min(map.height, Math.ceil(y1))];
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

/** The smallest rectangle around both. @param {Rect | null} a @param {Rect} b @returns {Rect} */
export function union(a, b) {
  if (!a || !a.width || !a.height) return b;
  if (!b.width || !b.height) return a;
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

/**
 * All pixels whose centre is at most `radius` from the segment from a to b; at least the pixel under b.
 * @param {IdMap} map @param {Point} a @param {Point} b @param {number} radius @param {Uint8Array} table
 */
export function paintSegment(map, a, b, radius, table) {
  const reach = Math.max(radius, 0.71);
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const long = dx * dx + dy * dy;
  const rect = clip(
    map,
    Math.min(a[0], b[0]) - reach,
    Math.min(a[1], b[1]) - reach,
    Math.max(a[0], b[0]) + reach,
    Math.max(a[1], b[1]) + reach,
  );
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    for (let x = rect.x; x < rect.x + rect.width; x++) {
      const px = x + 0.5 - a[0];
      const py = y + 0.5 - a[1];
      const along = long ? Math.min(1, Math.max(0, (px * dx + py * dy) / long)) : 0;
      const ex = px - along * dx;
      const ey = py - along * dy;
      if (ex * ex + ey * ey <= reach * reach) map.ids[y * map.width + x] = table[map.ids[y * map.width + x]];
    }
  }
  return rect;
}

/**
 * All pixels whose centre is inside, by the even-odd rule.
 * @param {IdMap} map @param {Point[]} points @param {Uint8Array} table
 */
export function paintPolygon(map, points, table) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const rect = clip(map, Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const cuts = crossings(points, y + 0.5);
    for (let i = 0; i + 1 < cuts.length; i += 2) {
      const last = Math.min(map.width - 1, Math.ceil(cuts[i + 1] - 0.5) - 1);
      for (let x = Math.max(0, Math.ceil(cuts[i] - 0.5)); x <= last; x++) {
        map.ids[y * map.width + x] = table[map.ids[y * map.width + x]];
      }
    }
  }
  return rect;
}

/** Where the polygon's sides meet the row y, from left to right. @param {Point[]} points @param {number} y */
function crossings(points, y) {
  const cuts = [];
  for (let i = 0; i < points.length; i++) {
    const [[ax, ay], [bx, by]] = [points[i], points[(i + 1) % points.length]];
    if (ay <= y !== by <= y) cuts.push(ax + ((y - ay) / (by - ay)) * (bx - ax));
  }
  return cuts.sort((a, b) => a - b);
}

/**
 * An object becomes just what `found` marks with another value than 0. What it took before from others goes back to them.
 * @param {IdMap} map @param {IdMap} found @param {number} object @param {Uint8Array} table
 * @param {IdMap} under what was there before the object was marked
 */
export function paintAnswer(map, found, object, table, under) {
  for (let i = 0; i < map.ids.length; i++) {
    if (found.ids[i]) map.ids[i] = table[map.ids[i]];
    else if (map.ids[i] === object) map.ids[i] = under.ids[i] === object ? 0 : under.ids[i];
  }
  return whole(map);
}

/** Puts a part in its place. @param {IdMap} map @param {IdMap} part @param {number} x @param {number} y */
export function paste(map, part, x, y) {
  for (let row = 0; row < part.height; row++) {
    map.ids.set(part.ids.subarray(row * part.width, (row + 1) * part.width), (y + row) * map.width + x);
  }
  return map;
}

/** @param {IdMap} map @param {Rect} rect @returns {Uint8Array} its pixels, row by row */
export function cut(map, { x, y, width, height }) {
  const pixels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const from = (y + row) * map.width + x;
    pixels.set(map.ids.subarray(from, from + width), row * width);
  }
  return pixels;
}

/**
 * The nearest pixel's id for each pixel of a smaller map.
 * @param {IdMap} map @param {number} width @param {number} height @returns {IdMap}
 */
export function shrink(map, width, height) {
  const small = blank(width, height);
  const columns = Uint32Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * map.width) / width));
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * map.height) / height) * map.width;
    for (let x = 0; x < width; x++) small.ids[y * width + x] = map.ids[row + columns[x]];
  }
  return small;
}

/** @type {WeakMap<IdMap, Uint8Array>} */
const counted = new WeakMap();

/** Is one of these objects in it? Not of a map that is painted on. @param {IdMap} map @param {number[]} objects */
export function hasAny(map, objects) {
  const there = counted.get(map) ?? new Uint8Array(256);
  if (!counted.has(map)) map.ids.forEach((id) => (there[id] = 1));
  counted.set(map, there);
  return objects.some((id) => there[id]);
}
