/** How clicks are drawn on the frame. */

import { stroke } from "./tools/tool.js";

/** @import {Corners, Dot} from "./marks.js" */
/** @import {Viewport} from "./viewport.js" */

const RADIUS = 7; // CSS pixels

/**
 * A plus on the object's colour, or a minus on black, so that they differ without colours, too.
 * @param {CanvasRenderingContext2D} context @param {Viewport} viewport @param {Dot} dot
 * @param {{colour?: string, waits: boolean, hovered: boolean}} how waits: for its answer
 */
export function drawDot(context, viewport, { x, y, positive }, { colour = "#fff", waits, hovered }) {
  const [left, top] = viewport.toCanvas([x + 0.5, y + 0.5]);
  const radius = hovered ? RADIUS + 2 : RADIUS;
  context.globalAlpha = waits ? 0.55 : 1;
  context.beginPath();
  context.arc(left, top, radius, 0, 2 * Math.PI);
  context.fillStyle = positive ? colour : "#111";
  context.fill();
  stroke(context, () => context.arc(left, top, radius, 0, 2 * Math.PI), "#fff");
  stroke(context, () => sign(context, left, top, positive), "#fff");
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {boolean} positive */
function sign(context, x, y, positive) {
  const arm = RADIUS - 3;
  context.moveTo(x - arm, y);
  context.lineTo(x + arm, y);
  if (!positive) return;
  context.moveTo(x, y - arm);
  context.lineTo(x, y + arm);
}

/** @param {CanvasRenderingContext2D} context @param {Viewport} viewport @param {Corners} box @param {string} [colour] */
export function drawBox(context, viewport, [x0, y0, x1, y1], colour) {
  const [[left, top], [right, bottom]] = [viewport.toCanvas([x0, y0]), viewport.toCanvas([x1 + 1, y1 + 1])];
  context.setLineDash([6, 4]);
  stroke(context, () => context.rect(left, top, right - left, bottom - top), colour);
  context.setLineDash([]);
}
