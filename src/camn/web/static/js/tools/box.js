/**
 * A box around the object, out of which the server cuts it. What the object is outside of the box stays; with Shift, what
 * it was inside, too.
 */

import { api } from "../api.js";
import { clip, paintFound } from "../ids.js";
import { note } from "../messages.js";
import { decode } from "../png.js";
import { stroke, Tool } from "./tool.js";

/** @import {Point, Rect} from "../ids.js" */
/** @import {IdMap} from "../png.js" */
/** @import {Viewport} from "../viewport.js" */
/** @import {Context, Held} from "./tool.js" */
/** @import {GrabCut, Obj} from "../types.js" */

const LEAST = 4; // pixels of the frame
const SLIVER = 0.01; // of the box
const NOTHING = "No object was found there, so nothing is changed. Leave some room around it, or use the brush.";
const LITTLE = "Only a sliver was found there. Z takes it back; leave some room around the object, or use the brush.";

/**
 * Asks the server for an object's mask and edits it in. What is drawn meanwhile comes after it.
 * @param {Tool} tool @param {(map: IdMap, id: number) => Omit<GrabCut, "object">} wish once its turn has come
 * @param {Promise<Obj>} needed the object
 * @param {{label: string, within: Rect | null, least?: number}} how within: what of the object's mask it takes the place
 *   of; least: pixels, fewer are spoken of
 */
export async function grab({ session, store }, wish, needed, { label, within, least = 0 }) {
  const edit = await session.edits.begin(store.state.frame, needed);
  try {
    const { id } = await needed;
    await session.masks.queue; // GrabCut begins from what the server has
    const found = await decode(await api.grabCut(session.id, edit.frame, { ...wish(edit.map, id), object: id }));
    const pixels = found.ids.reduce((sum, one) => sum + Number(one > 0), 0);
    if (!pixels) throw new Error(NOTHING);
    session.edits.painted(edit, paintFound(edit.map, found, id, session.table(id, id), within));
    if (pixels < least) note(LITTLE);
  } catch (error) {
    session.edits.drop(edit);
    throw error;
  }
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
    const rect = clip(this.session.project, ...corners);
    const how = { label: "Box", within: box.keep ? null : rect, least: SLIVER * rect.width * rect.height };
    const work = () => grab(this, () => ({ box: corners }), this.session.objects.need(), how);
    this.attempt("Cutting the object out…", work).finally(() => {
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
