/** The pointer on the stage: draws with the tool, zooms by the wheel, moves with the middle button or Alt. */

/** @import {Point} from "./ids.js" */
/** @import {Stage} from "./stage.js" */

const STEP = 1.0015; // of zoom, per unit of the wheel

/** @param {Stage} stage */
export function listenToPointer(stage) {
  const { canvas } = stage;
  /** @type {"draw" | "pan" | null} */
  let held = null;

  /** @param {PointerEvent | WheelEvent} event @returns {Point} */
  const at = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  /** @param {PointerEvent} event */
  const points = (event) => {
    const all = event.getCoalescedEvents?.() ?? [];
    return (all.length ? all : [event]).map((one) => stage.viewport.toImage(at(one)));
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (held || !stage.session || stage.shown?.frame !== stage.store.state.frame) return;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    held = event.button === 1 || event.altKey ? "pan" : "draw";
    if (held === "draw") {
      stage.store.set({ playing: false, follow: false }); // the frame must not go away
      stage.tool?.down(stage.viewport.toImage(at(event)), { shift: event.shiftKey, secondary: event.button === 2 });
    }
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held === "pan") {
      stage.viewport.pan(event.movementX, event.movementY);
      stage.redraw();
    } else if (held === "draw") stage.tool?.move(points(event));
    else stage.tool?.hover(stage.viewport.toImage(at(event)));
  });
  canvas.addEventListener("pointerup", () => {
    if (held === "draw") stage.tool?.up();
    held = null;
  });
  canvas.addEventListener("pointercancel", () => {
    if (held === "draw") stage.tool?.cancel();
    held = null;
    stage.redraw();
  });
  canvas.addEventListener("pointerleave", () => stage.tool?.hover(null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      stage.viewport.zoom(at(event), STEP ** (-event.deltaY * lines));
      stage.refresh();
      stage.redraw();
    },
    { passive: false },
  );
}
