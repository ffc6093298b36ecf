/** Brush and eraser. The secondary button, or Shift, turns the one into the other. */

import { paintSegment } from "../ids.js";
import { stroke, Tool } from "./tool.js";

/** @import {Edit} from "../edits.js" */
/** @import {Point} from "../ids.js" */
/** @import {Viewport} from "../viewport.js" */
/** @import {Context, Held} from "./tool.js" */
/**
 * @typedef {{edit: Edit | null, table: Uint8Array, points: Point[], painted: number}} Painting painted: points that are
 * @typedef {Painting & {radius: number, erases: boolean, over: boolean}} Stroke
 */

export class Brush extends Tool {
  /** @param {Context} context @param {boolean} erases */
  constructor(context, erases) {
    super(context);
    this.erases = erases;
    /** @type {Stroke | null} */
    this.stroke = null;
    /** @type {Point | null} */
    this.at = null;
  }

  /** @param {Point} point @param {Held} held */
  down(point, { shift, secondary }) {
    const erases = this.erases !== (shift || secondary);
    const { radius } = this.store.state;
    const begun = { points: [point], painted: 0, edit: null, table: new Uint8Array(256), radius, erases, over: false };
    this.stroke = begun;
    const { frame } = this.store.state; // the user may go on before the object is made
    this.attempt(() => this.begin(begun, frame));
  }

  /** Points that come before the mask is here wait for it. @param {Stroke} begun @param {number} frame */
  async begin(begun, frame) {
    const needed = begun.erases ? Promise.resolve(this.session.object) : this.session.objects.need();
    const edit = await this.session.edits.begin(frame, needed); // its turn is taken now, before it has an object
    const object = await needed;
    begun.table = this.session.table(begun.erases ? 0 : (object?.id ?? 0), object?.id ?? 0);
    if (this.stroke !== begun && !begun.over) return this.session.edits.drop(edit); // cancelled meanwhile
    begun.edit = edit;
    this.paint(begun);
    if (begun.over) await this.finish(begun);
  }

  /** @param {Stroke} stroke */
  paint(stroke) {
    const { edit, points, table, radius } = stroke;
    if (!edit) return;
    for (; stroke.painted < points.length; stroke.painted++) {
      const from = points[Math.max(0, stroke.painted - 1)];
      const rect = paintSegment(edit.map, from, points[stroke.painted], radius, table);
      this.session.edits.painted(edit, rect);
    }
  }

  /** @param {Point[]} points */
  move(points) {
    this.at = points[points.length - 1];
    this.stroke?.points.push(...points);
    if (this.stroke) this.paint(this.stroke);
    this.context.redraw();
  }

  up() {
    const begun = this.stroke;
    this.stroke = null;
    if (!begun) return;
    begun.over = true;
    if (begun.edit) this.attempt(() => this.finish(begun));
  }

  /** @param {Stroke} stroke */
  async finish(stroke) {
    if (stroke.edit) await this.session.edits.commit(stroke.edit, stroke.erases ? "Erase" : "Brush");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Escape" || !this.stroke) return false;
    this.cancel();
    this.context.redraw();
    return true;
  }

  cancel() {
    if (this.stroke?.edit) this.session.edits.drop(this.stroke.edit);
    this.stroke = null;
  }

  /** @param {Point | null} point */
  hover(point) {
    this.at = point;
    this.context.redraw();
  }

  /** @param {CanvasRenderingContext2D} context @param {Viewport} viewport */
  draw(context, viewport) {
    if (!this.at) return;
    const [x, y] = viewport.toCanvas(this.at);
    const radius = Math.max(2, this.store.state.radius * viewport.scale);
    stroke(
      context,
      () => context.arc(x, y, radius, 0, 2 * Math.PI),
      this.erases ? "#fff" : this.session.object?.colour,
    );
  }
}
