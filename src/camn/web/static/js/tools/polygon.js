/**
 * Corners by clicks; a click on the first one, a double click or Enter closes it.
 * Shift or the secondary button cuts out.
 */

import { paintPolygon } from "../ids.js";
import { stroke, Tool } from "./tool.js";

/** @import {Point} from "../ids.js" */
/** @import {Viewport} from "../viewport.js" */
/** @import {Context, Held} from "./tool.js" */

const NEAR = 9; // CSS pixels

export class Polygon extends Tool {
  /** @param {Context} context */
  constructor(context) {
    super(context);
    /** @type {Point[]} */
    this.points = [];
    /** @type {Point | null} */
    this.at = null;
    this.scale = 1; // CSS pixels per pixel, as last drawn
  }

  /** @param {Point} a @param {Point} b */
  near(a, b) {
    return Math.hypot(a[0] - b[0], a[1] - b[1]) * this.scale < NEAR;
  }

  /** Is it a click on the first corner, back from farther away? Corners may lie close together. @param {Point} point */
  closes(point) {
    const [first, ...more] = this.points;
    return more.length > 1 && this.near(point, first) && more.some((corner) => !this.near(corner, first));
  }

  /** @param {Point} point @param {Held} held */
  down(point, { shift, secondary }) {
    if (this.closes(point)) this.close(shift || secondary);
    else this.points.push(point);
    this.context.redraw();
  }

  /** The second click has made a corner, too. @param {Held} held */
  twice({ shift, secondary }) {
    this.points.pop();
    if (this.points.length > 2) this.close(shift || secondary);
    this.context.redraw();
  }

  /** @param {boolean} erases */
  close(erases) {
    const { points } = this;
    this.points = [];
    if (points.length > 2) this.attempt(() => this.fill(points, erases));
  }

  /** @param {Point[]} points @param {boolean} erases */
  async fill(points, erases) {
    const { frame } = this.store.state; // the user may go on before the object is made
    const needed = this.session.objects.need();
    const edit = await this.session.edits.begin(frame, needed);
    const { id } = await needed;
    const table = this.session.table(erases ? 0 : id, id);
    this.session.edits.painted(edit, paintPolygon(edit.map, points, table));
    await this.session.edits.commit(edit, erases ? "Cut out a polygon" : "Polygon");
  }

  /** @param {Point | null} point */
  hover(point) {
    this.at = point;
    this.context.redraw();
  }

  takeBack() {
    this.points.pop();
    this.context.redraw();
  }

  cancel() {
    this.points = [];
    this.context.redraw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.points.length) return false;
    if (event.key === "Enter") this.close(event.shiftKey);
    else if (event.key === "Escape") this.cancel();
    else if (event.key === "Backspace" || (event.key.toLowerCase() === "z" && !event.shiftKey)) this.points.pop();
    else return false;
    this.context.redraw();
    return true;
  }

  /** @param {CanvasRenderingContext2D} context @param {Viewport} viewport */
  draw(context, viewport) {
    this.scale = viewport.scale;
    if (!this.points.length) return;
    const corners = this.points.map((point) => viewport.toCanvas(point));
    const line = this.at ? [...corners, viewport.toCanvas(this.at)] : corners;
    stroke(
      context,
      () => line.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y))),
      this.session.object?.colour,
    );
    const closing = this.at && this.closes(this.at) ? NEAR : 6;
    corners.forEach(([x, y], i) => stroke(context, () => context.arc(x, y, i ? 3 : closing, 0, 2 * Math.PI)));
  }
}
