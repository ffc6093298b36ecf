/** The wheel zooms; two fingers on a trackpad, which a browser tells as a wheel, too, move, and zoom by a pinch. */

/** @import {Point} from "./ids.js" */
/** @import {Stage} from "./stage.js" */

const STEP = 1.0015; // of zoom, per unit of the wheel
const FINE = 1.01; // the same of a pinch, which is told in small units
const NOTCH = 120; // a wheel's, as wheelDelta tells it
const PAUSE = 400; // milliseconds after which it is another gesture

export class Wheel {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.pans = false;
    this.last = -Infinity;
  }

  /** @param {WheelEvent} event @param {Point} at on the canvas */
  turn(event, at) {
    event.preventDefault();
    const { viewport } = this.stage;
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL;
    if (event.timeStamp - this.last > PAUSE) this.pans = false;
    this.last = event.timeStamp;
    this.pans ||= pixels && !event.ctrlKey && this.smooth(event);
    if (event.ctrlKey) viewport.zoom(at, (this.whole(event) ? STEP : FINE) ** -event.deltaY);
    else if (this.pans || event.shiftKey) viewport.pan(...this.way(event));
    else viewport.zoom(at, STEP ** (-event.deltaY * (pixels ? 1 : 30)));
    this.stage.refresh();
    this.stage.redraw();
  }

  /** With Shift a wheel moves sideways. @param {WheelEvent} event @returns {Point} */
  way({ deltaX, deltaY, shiftKey }) {
    return shiftKey && !deltaX ? [-deltaY, 0] : [-deltaX, -deltaY];
  }

  /** Is it no wheel with notches? @param {WheelEvent} event */
  smooth(event) {
    return event.deltaX !== 0 ? !event.shiftKey : !this.whole(event);
  }

  /** Whole notches, as far as the browser tells of them. @param {WheelEvent} event */
  whole(event) {
    const { wheelDeltaY = NOTCH } = /** @type {WheelEvent & {wheelDeltaY?: number}} */ (event);
    return wheelDeltaY % NOTCH === 0;
  }
}
