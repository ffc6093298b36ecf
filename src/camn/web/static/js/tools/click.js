/**
 * Clicks on the object, and with Shift, Alt or the secondary button on what is not it; a drag is a box around it. The dots
 * stay until the object is done: they can be moved, and a click on one deletes it.
 */

import { find, say } from "../dom.js";
import { Marking } from "../marking.js";
import { added, boxed, cornersOf, empty, NONE, pixel, readings, replaced, turned, words } from "../marks.js";
import { note } from "../messages.js";
import { Preview } from "../preview.js";
import { drawBox, drawDot } from "../dots.js";
import { Tool } from "./tool.js";

/** @import {Point} from "../ids.js" */
/** @import {Step} from "../marking.js" */
/** @import {Dot} from "../marks.js" */
/** @import {Viewport} from "../viewport.js" */
/** @import {Context, Held as Keys} from "./tool.js" */
/** @typedef {{from: Point, to: Point, moved: boolean, dot: Dot | null, positive: boolean}} Held */

const NEAR = 9; // CSS pixels
const STILL = 5; // CSS pixels
const TWICE = 400; // milliseconds: a double click is one
const SLOW = 300; // milliseconds until it is said that the server is at it

export class Click extends Tool {
  alt = true;

  /** @param {Context} context */
  constructor(context) {
    super(context);
    /** @type {Marking | null} */
    this.marking = null;
    /** @type {Held | null} */
    this.held = null;
    /** @type {Point | null} */
    this.at = null;
    this.preview = new Preview(this.session, context.redraw);
    /** @type {{dot: Dot, time: number} | null} the last one that was added */
    this.last = null;
    this.scale = 1; // CSS pixels per pixel, as last drawn
    this.of = this.store.state.frame;
    this.gone = new AbortController();
    this.store.watch(["object", "fresh"], () => this.tell(), this.gone.signal);
  }

  /** What is being marked. */
  get current() {
    const { frame, object } = this.store.state;
    return this.marking?.holds(frame, object) ? this.marking : null;
  }

  get shown() {
    return this.current?.shown ?? NONE;
  }

  /** The dot under a point. @param {Point} point @returns {Dot | null} */
  near([x, y]) {
    const far = (/** @type {Dot} */ dot) => Math.hypot(dot.x + 0.5 - x, dot.y + 0.5 - y) * this.scale;
    return this.shown.dots.findLast((dot) => far(dot) < NEAR) ?? null;
  }

  /** @param {Point} point @param {Keys} held */
  down(point, { shift, secondary }) {
    const positive = (shift || secondary) === this.store.state.away;
    this.held = { from: point, to: point, moved: false, dot: this.near(point), positive };
    this.preview.clear();
  }

  /** @param {Point[]} points */
  move(points) {
    const { held } = this;
    if (!held) return;
    held.to = points[points.length - 1];
    held.moved ||= Math.hypot(held.to[0] - held.from[0], held.to[1] - held.from[1]) * this.scale > STILL;
    this.context.redraw();
  }

  up() {
    const { held } = this;
    this.held = null;
    if (!held) return;
    const { dot, moved, positive } = held;
    const [x, y] = pixel(dot && moved ? held.to : held.from);
    if (dot && moved) this.moved(dot, { ...dot, x, y });
    else if (dot) this.pressed(dot);
    else if (moved && positive) this.step((marks) => boxed(marks, this.box(held)), "Box");
    else this.add({ x, y, positive });
    this.context.redraw();
  }

  /** @param {Dot} dot */
  add(dot) {
    this.last = { dot, time: performance.now() };
    this.step((marks) => added(marks, dot), dot.positive ? "Click" : "Click, taking away");
  }

  /** The second half of a double click deletes nothing. @param {Dot} dot */
  pressed(dot) {
    if (this.last?.dot !== dot || performance.now() - this.last.time > TWICE) this.remove(dot);
  }

  /** @param {Dot} dot @param {Dot} now */
  moved(dot, now) {
    this.step((marks) => replaced(marks, dot, now), "Move a click");
  }

  /** @param {Dot} dot */
  remove(dot) {
    this.step((marks) => replaced(marks, dot, null), "Delete a click");
  }

  /** @param {Held} held */
  box({ from, to }) {
    return cornersOf(from, to, this.session.project);
  }

  /** @param {Step} step @param {string} label */
  step(step, label) {
    const { session, store } = this;
    const { fresh, frame } = store.state;
    const target = this.target();
    const marking = this.current ?? new Marking(session, frame, fresh);
    this.marking = marking;
    store.set({ fresh: false });
    target.then((one) => (marking.object ??= one?.id ?? null)).catch(() => {}); // it is told by what waits for it
    const slow = setTimeout(() => store.set({ busy: "Finding the object…" }), SLOW);
    const restored = () => this.restored(marking);
    this.attempt(() => marking.take(step, label, target, restored)).finally(() => {
      clearTimeout(slow);
      store.set({ busy: null });
      if (marking.fresh && marking === this.current && marking.nothing) this.begin();
      else this.tell();
    });
    this.tell();
  }

  /** The object that is there for it; null: it is made when something was found. */
  async target() {
    const { current, session } = this;
    const known = current?.object ?? null;
    if (known !== null) return session.project.objects.find(({ id }) => id === known) ?? null;
    const made = session.project.objects.length || session.objects.adding;
    return (current ?? this.store.state).fresh || !made ? null : session.objects.need();
  }

  /** A step of it was undone or redone. @param {Marking} marking */
  restored(marking) {
    if (marking.frame !== this.store.state.frame || this.gone.signal.aborted) return;
    this.marking = marking;
    this.store.set({ object: marking.object, fresh: false });
    this.tell();
  }

  /** The object is done. */
  end() {
    const { session, store } = this;
    const { frame, object, fresh } = store.state;
    const there = object !== null && session.marked(frame, [object]);
    if (fresh || (empty(this.shown) && !there)) return false;
    this.begin();
    say(find("#spoken", HTMLElement), `${session.object?.name ?? "The object"} is done. The next click begins a new object.`);
    return true;
  }

  /** The next click begins a new object. */
  begin() {
    this.marking = null;
    this.store.set({ fresh: true });
    this.tell();
  }

  /** Says how it stands. */
  tell() {
    const { shown } = this;
    const { fresh } = this.store.state;
    const many = readings(shown);
    const [at, waits] = [`${shown.candidate + 1} of ${many}`, (this.current?.steps.length ?? 0) > 0];
    this.store.set({ reading: fresh ? "Next: a new object" : many > 1 ? `${at} (Tab)` : null });
    if (!waits && !empty(shown)) {
      const more = many > 1 ? `, reading ${at}, Tab shows the next` : "";
      say(find("#spoken", HTMLElement), `${this.session.object?.name ?? "Object"}: ${words(shown)}${more}.`);
    }
    this.context.redraw();
  }

  /** @param {Point | null} point */
  hover(point) {
    this.at = point;
    const { current, session } = this;
    const { away, fresh, object } = this.store.state;
    const { width, height } = session.project;
    const [x, y] = pixel(point ?? [-1, -1]);
    const outside = x < 0 || y < 0 || x >= width || y >= height;
    if (!point || outside || this.near(point) || current?.steps.length) this.preview.clear();
    else {
      this.preview.point({ x, y, positive: !away }, current, current?.object ?? (fresh ? null : object));
    }
    this.context.redraw();
  }

  /** What is held is let go; on another frame there are no dots, and nothing is asked for any longer. */
  cancel() {
    this.held = null;
    this.preview.clear();
    if (this.marking && this.marking.frame !== this.store.state.frame) {
      if (this.marking.steps.length) note("You went to another frame before your click was answered: it was dropped.");
      this.marking.drop();
      this.marking = null;
    }
    if (this.of !== this.store.state.frame) this.store.set({ fresh: false });
    this.of = this.store.state.frame;
    this.tell();
  }

  putAway() {
    this.cancel();
    this.marking = null;
    this.gone.abort();
    this.store.set({ fresh: false, reading: null });
  }

  takeBack() {
    this.held = null;
    this.context.redraw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const dot = this.at && this.near(this.at);
    if (event.key === "Enter") return this.end();
    if (event.key === "Escape") return this.leave();
    if (event.key === "Tab") return this.turn(event);
    if (!dot || !["Delete", "Backspace"].includes(event.key) || event.shiftKey) return false;
    this.remove(dot);
    return true;
  }

  /** Escape: what is being asked, else the dots, else the wish for a new object. */
  leave() {
    const { held, current, store } = this;
    if (!held && !current && !store.state.fresh) return false;
    this.held = null;
    if (current?.steps.length) current.drop();
    else if (!held) {
      this.marking = null;
      store.set({ fresh: false });
    }
    this.tell();
    return true;
  }

  /** Tab goes on to the next reading, where there are several and the stage has the focus. @param {KeyboardEvent} event */
  turn({ target, shiftKey }) {
    const stage = /** @type {Element} */ (target).matches("#stage, body");
    if (!stage || readings(this.shown) < 2) return false;
    this.step((marks) => turned(marks, shiftKey ? -1 : 1), "Another reading");
    return true;
  }

  /** @param {CanvasRenderingContext2D} context @param {Viewport} viewport */
  draw(context, viewport) {
    this.scale = viewport.scale;
    this.preview.draw(context, viewport);
    const { held, shown } = this;
    const colour = this.store.state.fresh ? "#fff" : this.session.object?.colour;
    const box = held && !held.dot && held.moved && held.positive ? this.box(held) : shown.box;
    if (box) drawBox(context, viewport, box, colour);
    const asked = new Set(this.current?.marks.dots);
    const hovered = held ? held.dot : this.at && this.near(this.at);
    for (const dot of shown.dots) {
      const [x, y] = held?.moved && held.dot === dot ? pixel(held.to) : [dot.x, dot.y];
      drawDot(context, viewport, { ...dot, x, y }, { colour, waits: !asked.has(dot), hovered: dot === hovered });
    }
  }
}
