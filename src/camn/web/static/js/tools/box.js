/** A box around the object, out of which the server cuts it. Shift keeps what the object was already. */

import { api } from "../api.js";
import { paintFound, paintTable } from "../ids.js";
import { decode } from "../png.js";
import { stroke, Tool } from "./tool.js";

/** @import {Point} from "../ids.js" */
/** @import {Viewport} from "../viewport.js" */
/** @import {Context, Held} from "./tool.js" */
/** @import {GrabCut} from "../types.js" */

const LEAST = 4; // pixels of the frame

/**
 * Asks the server for an object's mask and edits it in.
 * @param {Tool} tool @param {Omit<GrabCut, "object">} wish @param {boolean} keep @param {string} label
 */
export async function grab(tool, wish, keep, label) {
  const { session, store } = tool;
  const { frame } = store.state;
  const object = await session.needObject();
  store.set({ object: object.id });
  await session.masks.queue; // GrabCut begins from what the server has
  const found = await decode(await api.grabCut(session.id, frame, { ...wish, object: object.id }));
  if (store.state.frame !== frame) return;
  const edit = await session.edits.begin();
  const table = paintTable(object.id, object.id, store.state.protect);
  session.edits.painted(edit, paintFound(edit.map, found, object.id, table, keep));
  await session.edits.commit(edit, label);
}

export class Box extends Tool {
  /** @param {Context} context */
  constructor(context) {
    super(context);
    /** @type {{from: Point, to: Point, keep: boolean} | null} */
    this.box = null;
    /** @type {[number, number, number, number] | null} what the server is at */
    this.asked = null;
  }

  /** @param {Point} point @param {Held} held */
  down(point, { shift }) {
    if (!this.asked) this.box = { from: point, to: point, keep: shift };
  }

  /** @param {Point[]} points */
  move(points) {
    if (this.box) this.box.to = points[points.length - 1];
    this.context.redraw();
  }

  up() {
    const { box } = this;
    this.box = null;
    this.context.redraw();
    if (!box) return;
    const corners = this.corners(box.from, box.to);
    if (corners[2] - corners[0] < LEAST || corners[3] - corners[1] < LEAST) return;
    this.asked = corners;
    this.attempt("Cutting the object out…", () => grab(this, { box: corners }, box.keep, "Box")).finally(() => {
      this.asked = null;
      this.context.redraw();
    });
  }

  /** Within the frame. @param {Point} a @param {Point} b @returns {[number, number, number, number]} */
  corners(a, b) {
    const { width, height } = this.session.project;
    const [x, y] = [
      (/** @type {number} */ v) => Math.min(width, Math.max(0, v)),
      (/** @type {number} */ v) => Math.min(height, Math.max(0, v)),
    ];
    return [x(Math.min(a[0], b[0])), y(Math.min(a[1], b[1])), x(Math.max(a[0], b[0])), y(Math.max(a[1], b[1]))];
  }

  cancel() {
    this.box = null;
    this.context.redraw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Escape" || !this.box) return false;
    this.cancel();
    return true;
  }

  /** @param {CanvasRenderingContext2D} context @param {Viewport} viewport */
  draw(context, viewport) {
    const corners = this.asked ?? (this.box && this.corners(this.box.from, this.box.to));
    if (!corners) return;
    const [[x0, y0], [x1, y1]] = [
      viewport.toCanvas([corners[0], corners[1]]),
      viewport.toCanvas([corners[2], corners[3]]),
    ];
    context.setLineDash(this.asked ? [6, 4] : []);
    stroke(context, () => context.rect(x0, y0, x1 - x0, y1 - y0), this.session.object?.colour);
    context.setLineDash([]);
  }
}
