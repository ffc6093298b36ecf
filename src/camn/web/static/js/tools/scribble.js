/** Lines over the object, and with Shift or the secondary button over what is not it; the server finds the edges. */

import { has, whole } from "../ids.js";
import { grab } from "./box.js";
import { stroke, Tool } from "./tool.js";

/** @import {Point} from "../ids.js" */
/** @import {Viewport} from "../viewport.js" */
/** @import {Context, Held} from "./tool.js" */
/** @import {Stroke} from "../types.js" */

const MOST_POINTS = 2000;

export class Scribble extends Tool {
  /** @param {Context} context */
  constructor(context) {
    super(context);
    /** @type {Stroke[]} on this frame, for this object */
    this.strokes = [];
    /** @type {Stroke | null} */
    this.drawn = null;
    this.of = "";
  }

  /** Strokes are of one frame and one object. */
  refresh() {
    const { frame, object } = this.store.state;
    if (this.of !== `${frame}/${object}`) this.strokes = [];
    this.of = `${frame}/${object}`;
  }

  /** @param {Point} point @param {Held} held */
  down(point, { shift, secondary }) {
    this.refresh();
    const radius = Math.max(1, this.store.state.radius / 2);
    this.drawn = { points: [point], radius, foreground: !(shift || secondary) };
    this.context.redraw();
  }

  /** @param {Point[]} points */
  move(points) {
    if (this.drawn && this.drawn.points.length < MOST_POINTS) this.drawn.points.push(...points);
    this.context.redraw();
  }

  up() {
    const last = this.drawn;
    if (!last) return;
    this.strokes.push(last);
    this.drawn = null;
    this.attempt("Cutting the object out…", () => this.ask(last, [...this.strokes]));
  }

  /** @param {Stroke} last @param {Stroke[]} strokes all of them */
  async ask(last, strokes) {
    const { frame } = this.store.state;
    const needed = this.session.objects.need();
    const within = whole(this.session.project);
    needed.then(
      ({ id }) => this.strokes.includes(last) && (this.of = `${frame}/${id}`),
      () => {},
    );
    try {
      await grab(this, (map, id) => ({ strokes, refine: has(map, id) }), needed, { within, label: "Scribble" });
    } catch (error) {
      this.strokes = this.strokes.filter((one) => one !== last); // it asked too much
      throw error;
    }
  }

  takeBack() {
    this.drawn = null;
    this.context.redraw();
  }

  cancel() {
    this.drawn = null;
    this.strokes = [];
    this.context.redraw();
  }

  rewound() {
    this.cancel();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Escape" || !this.strokes.length) return false;
    this.cancel();
    return true;
  }

  /** @param {CanvasRenderingContext2D} context @param {Viewport} viewport */
  draw(context, viewport) {
    this.refresh();
    context.lineCap = context.lineJoin = "round";
    for (const { points, radius, foreground } of this.drawn ? [...this.strokes, this.drawn] : this.strokes) {
      context.globalAlpha = 0.75;
      context.lineWidth = Math.max(2, 2 * radius * viewport.scale);
      context.strokeStyle = foreground ? (this.session.object?.colour ?? "#fff") : "#111";
      context.beginPath();
      points.forEach((point, i) =>
        i ? context.lineTo(...viewport.toCanvas(point)) : context.moveTo(...viewport.toCanvas(point)),
      );
      if (points.length === 1) context.lineTo(...viewport.toCanvas(points[0]));
      context.stroke();
      context.globalAlpha = 1;
    }
    if (this.drawn)
      stroke(context, () => context.arc(...viewport.toCanvas(this.drawn?.points.at(-1) ?? [0, 0]), 4, 0, 7));
  }
}
