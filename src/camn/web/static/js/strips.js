/** What is drawn in the lanes of the timeline. */

import { onFrame } from "./signal.js";

/** @import {Session} from "./session.js" */
/** @import {Trouble} from "./track.js" */
/** @import {Obj} from "./types.js" */

const RETRY = 1000; // milliseconds
const HATCH = 5; // CSS pixels between the lines of a hatch

/** Frames that the timeline has room for. @param {Session} session */
export const span = ({ project }) => Math.max(1, project.count, project.total ?? 0);

/**
 * @param {HTMLCanvasElement} canvas sized as it is laid out
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}} in CSS pixels
 */
export function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Colours of the theme. @param {Element} element @param {string} name */
export const themed = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

/** Which frames have a mask, and whose. @param {HTMLCanvasElement} canvas @param {Session} session */
export function drawMasks(canvas, session) {
  const { context, width, height } = prepare(canvas);
  const all = span(session);
  const { track, project } = session;
  context.fillStyle = themed(canvas, "--lane-done");
  context.fillRect(0, height - 3, (width * project.count) / all, 3);
  context.fillStyle = themed(canvas, "--predicted");
  for (const n of track.predicted) context.fillRect((n / all) * width, height - 3, Math.max(1, width / all + 0.5), 3);
  context.fillStyle = themed(canvas, "--given");
  for (const n of track.given) {
    const [x, y, r] = [((n + 0.5) / all) * width, (height - 3) / 2, (height - 4) / 2];
    context.beginPath();
    for (const [dx, dy] of [
      [0, -r],
      [r, 0],
      [0, r],
      [-r, 0],
    ])
      context.lineTo(x + dx, y + dy);
    context.fill();
  }
}

/**
 * One object's confidence: the higher, the surer; hatched where doubtful, crossed where lost.
 * @param {HTMLCanvasElement} canvas @param {Session} session @param {Obj} object
 */
export function drawStrip(canvas, session, { id, colour }) {
  const { context, width, height } = prepare(canvas);
  const { track, project } = session;
  const all = span(session);
  const colours = { lost: themed(canvas, "--lost"), doubtful: themed(canvas, "--doubtful"), sure: colour };
  const columns = canvas.width; // of the screen: between columns of CSS pixels there would be seams, like a hatch
  const ratio = columns / width;
  context.scale(1 / devicePixelRatio, 1);
  for (let x = 0; x < columns; x++) {
    const from = Math.floor((x / columns) * all);
    const to = Math.min(project.count, Math.max(from + 1, Math.floor(((x + 1) / columns) * all)));
    const { least, trouble } = worst(track, id, from, to);
    if (least === null) continue;
    const tall = trouble === "lost" ? height : Math.max(3, least * height);
    context.fillStyle = colours[trouble ?? "sure"];
    context.globalAlpha = trouble ? 1 : 0.85;
    context.fillRect(x, height - tall, 1, tall);
    if (trouble && hatched(Math.floor(x / ratio), trouble)) context.clearRect(x, 0, 1, height);
  }
  context.globalAlpha = 1;
}

/** @param {number} x in CSS pixels @param {Trouble} trouble */
const hatched = (x, trouble) => x % HATCH === 0 || (trouble === "lost" && x % HATCH === 2);

/** @param {import("./track.js").Track} track @param {number} id @param {number} from @param {number} to */
function worst(track, id, from, to) {
  /** @type {number | null} */
  let least = null;
  /** @type {Trouble | null} */
  let trouble = null;
  for (let n = from; n < to; n++) {
    const value = track.confidence(id, n);
    if (value !== null) least = Math.min(least ?? 1, value);
    const here = track.trouble(id, n);
    if (here && trouble !== "lost") trouble = here;
  }
  return { least: trouble ? (least ?? 0) : least, trouble };
}

/** Small pictures over the length of the video; those that come late are drawn when they come. */
export class Filmstrip {
  /** @param {HTMLCanvasElement} canvas @param {() => Session | null} session */
  constructor(canvas, session) {
    this.canvas = canvas;
    this.session = session;
    /** @type {Map<number, ImageBitmap>} */
    this.small = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
    /** @type {Session | null} */
    this.of = null;
    this.draw = onFrame(() => this.drawNow());
  }

  drawNow() {
    const session = this.session();
    if (this.of !== session) this.small.clear();
    this.of = session;
    if (!session) return;
    const { context, width, height } = prepare(this.canvas);
    const { count, display_width, display_height } = session.project;
    if (!count || !display_height) return;
    const step = Math.max(24, (height * display_width) / display_height);
    for (let x = 0; x < width; x += step) {
      const frame = Math.floor(((x + step / 2) / width) * span(session));
      if (frame >= count) break;
      const picture = this.small.get(frame);
      if (picture) context.drawImage(picture, x, 0, step, height);
      else if (!this.asked.has(frame)) this.fetch(session, frame, height);
    }
  }

  /** @param {Session} session @param {number} frame @param {number} height */
  async fetch(session, frame, height) {
    this.asked.add(frame);
    try {
      const picture = await session.frames.load(frame, "display");
      const resizeHeight = Math.ceil(height * devicePixelRatio);
      this.small.set(frame, await createImageBitmap(picture, { resizeHeight, resizeQuality: "medium" }));
      this.draw();
    } catch {
      if (session === this.of && !session.ended.signal.aborted) setTimeout(this.draw, RETRY);
    } finally {
      this.asked.delete(frame);
    }
  }
}
