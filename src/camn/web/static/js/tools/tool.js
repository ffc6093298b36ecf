/** What every tool can do. Points are in pixels of the frame. */

import { ApiError } from "../api.js";
import { fail, settle } from "../messages.js";

/** @import {Point} from "../ids.js" */
/** @import {Session} from "../session.js" */
/** @import {Store} from "../store.js" */
/** @import {Viewport} from "../viewport.js" */
/** @typedef {{shift: boolean, secondary: boolean}} Held what is held down with the pointer */
/** @typedef {{session: Session, store: Store, redraw: () => void}} Context */

const MARKING = "marking"; // what messages are about

export class Tool {
  /** Is Alt with a click, without moving, meant for it? */
  alt = false;

  /** @param {Context} context */
  constructor(context) {
    this.context = context;
    this.session = context.session;
    this.store = context.store;
  }

  /** @param {Point} _point @param {Held} _held */
  down(_point, _held) {}

  /** A double click, after `down` and `up` of both. @param {Held} _held */
  twice(_held) {}

  /** Moved while down. @param {Point[]} _points */
  move(_points) {}

  up() {}

  /** Moved while not down; null: left. @param {Point | null} _point */
  hover(_point) {}

  /** Forgets what was begun. */
  cancel() {}

  /** Another tool is taken in hand. */
  putAway() {
    this.cancel();
  }

  /** Forgets what was begun by the last `down`. */
  takeBack() {
    this.cancel();
  }

  /** @param {KeyboardEvent} _event @returns {boolean} was it meant for the tool? */
  key(_event) {
    return false;
  }

  /**
   * Draws its feedback over the frame, in CSS pixels.
   * @param {CanvasRenderingContext2D} _context @param {Viewport} _viewport
   */
  draw(_context, _viewport) {}

  /** Runs an edit, tells what went wrong, until one goes well. @param {() => Promise<unknown>} work */
  async attempt(work) {
    try {
      if (!this.store.state.connected) throw new ApiError("silent", "Marking has to wait until the server is back.", 0);
      await this.session.act(work);
      settle(MARKING);
    } catch (error) {
      fail(error, MARKING);
    } finally {
      this.context.redraw();
    }
  }
}

/**
 * A line that is seen on any picture.
 * @param {CanvasRenderingContext2D} context @param {() => void} path @param {string} [colour]
 */
export function stroke(context, path, colour = "#fff") {
  context.beginPath();
  path();
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 0.65)";
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = colour;
  context.stroke();
}
