/**
 * The pointer on the stage: draws with the tool; moves with the middle button, Alt or Space; two fingers zoom and move,
 * and never draw; the wheel zooms, a trackpad's two fingers move.
 */

import { note } from "./messages.js";
import { Wheel } from "./wheel.js";

/** @import {Point} from "./ids.js" */
/** @import {Stage} from "./stage.js" */

const STILL = 10; // CSS pixels
const UNSEEN = "is not here yet, so nothing was done. Press again when you see it.";

/** @param {Stage} stage */
export function listenToPointer(stage) {
  const { canvas } = stage;
  const hand = new Hand(stage);
  canvas.addEventListener("pointerdown", (event) => hand.down(event));
  canvas.addEventListener("pointermove", (event) => hand.move(event));
  canvas.addEventListener("pointerup", (event) => hand.up(event, false));
  canvas.addEventListener("pointercancel", (event) => hand.up(event, true));
  canvas.addEventListener("pointerleave", () => stage.tool?.hover(null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", ({ shiftKey }) => stage.tool?.twice({ shift: shiftKey, secondary: false }));
  const wheel = new Wheel(stage);
  canvas.addEventListener("wheel", (event) => wheel.turn(event, at(canvas, event)), { passive: false });
}

/** @param {HTMLCanvasElement} canvas @param {MouseEvent} event @returns {Point} */
function at(canvas, event) {
  const { left, top } = canvas.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

/** What is held on the stage: a mouse's button, a pen, fingers. */
class Hand {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    /** @type {Map<number, Point>} where each pointer is that is down */
    this.points = new Map();
    /** @type {"draw" | "pan" | "pinch" | null} */
    this.does = null;
    /** @type {PointerEvent | null} a finger's, which may be the first one of two: it draws when it has moved, or is up */
    this.finger = null;
    /** @type {PointerEvent | null} with Alt: it moves the frame when it has moved, or is a click for the tool */
    this.tap = null;
  }

  /** @param {PointerEvent} event */
  down(event) {
    const { stage } = this;
    if (!stage.session) return;
    event.preventDefault();
    stage.canvas.setPointerCapture(event.pointerId);
    stage.canvas.focus({ preventScroll: true });
    const another = this.points.size > 0;
    if (another && event.pointerType !== "touch") return; // a second button
    this.points.set(event.pointerId, at(stage.canvas, event));
    if (another) this.pinch();
    else if (event.altKey && stage.tool?.alt && event.button !== 1) this.tap = event;
    else if (event.button === 1 || event.altKey || stage.grabbing) this.does = "pan";
    else if (event.pointerType === "touch") this.finger = event;
    else this.draw(event);
  }

  /** @param {PointerEvent} event */
  draw(event) {
    const { stage } = this;
    const { frame } = stage.store.state;
    this.finger = this.tap = null;
    if (stage.shown?.frame !== frame) return note(`Frame ${frame + 1} ${UNSEEN}`);
    this.does = "draw";
    stage.drawing = true;
    stage.store.set({ playing: false, follow: false }); // the frame must not go away
    const point = stage.viewport.toImage(at(stage.canvas, event));
    stage.tool?.down(point, { shift: event.shiftKey, secondary: event.button === 2 || event.altKey });
  }

  /** A second finger: what the first one has drawn was no stroke. */
  pinch() {
    if (this.does === "draw") this.stage.tool?.takeBack();
    this.finger = null;
    this.stage.drawing = false;
    this.does = "pinch";
    this.stage.redraw();
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { stage } = this;
    const { canvas, viewport } = stage;
    const before = this.points.get(event.pointerId);
    if (!before) {
      if (!this.points.size) stage.tool?.hover(viewport.toImage(at(canvas, event)));
      return;
    }
    const now = at(canvas, event);
    if ((this.finger || this.tap) && Math.hypot(now[0] - before[0], now[1] - before[1]) < STILL) return;
    if (this.finger) this.draw(this.finger);
    if (this.tap) [this.tap, this.does] = [null, "pan"];
    if (this.does === "draw") {
      const all = event.getCoalescedEvents?.() ?? [];
      stage.tool?.move((all.length ? all : [event]).map((one) => viewport.toImage(at(canvas, one))));
    } else if (this.does === "pinch") this.spread(event.pointerId, now);
    else if (this.does === "pan") viewport.pan(now[0] - before[0], now[1] - before[1]);
    this.points.set(event.pointerId, now);
    if (this.does !== "draw") stage.redraw();
  }

  /** Two fingers: what was under them stays under them. @param {number} id of the one that moves @param {Point} now */
  spread(id, now) {
    const [before, other] = [this.points.get(id), [...this.points].find(([one]) => one !== id)?.[1]];
    if (!before || !other) return;
    const { viewport } = this.stage;
    const apart = (/** @type {Point} */ point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
    viewport.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    viewport.zoom([(now[0] + other[0]) / 2, (now[1] + other[1]) / 2], apart(now) / apart(before));
    this.stage.refresh();
  }

  /** @param {PointerEvent} event @param {boolean} cancelled */
  up(event, cancelled) {
    if (!this.points.delete(event.pointerId)) return;
    const { stage } = this;
    const click = this.finger ?? this.tap;
    if (click && !cancelled) this.draw(click);
    this.finger = this.tap = null;
    if (this.does === "draw") {
      stage.drawing = false;
      if (cancelled) stage.tool?.cancel();
      else stage.tool?.up();
    }
    if (this.does !== "pinch" || !this.points.size) this.does = null; // one finger left over draws nothing
    stage.redraw();
  }
}
