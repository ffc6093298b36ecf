/** The timeline: lanes for the frames, the masks, and each object's confidence; a click goes there. */

import { el, find } from "./dom.js";
import { frames } from "./format.js";
import { onFrame } from "./signal.js";
import { drawMasks, drawStrip, Filmstrip, span } from "./strips.js";

/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {Obj} from "./types.js" */
/** @typedef {{object: Obj, row: HTMLElement, canvas: HTMLCanvasElement, marks: HTMLElement, shown: string}} Lane */

const MOST_MARKS = 60; // of one object

export class Timeline {
  /** @param {Store} store @param {() => Session | null} session */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    this.box = find("#tracks", HTMLElement);
    this.film = el("canvas", { class: "film", "aria-hidden": "true" });
    this.masks = el("canvas", { class: "masks", "aria-hidden": "true" });
    this.playhead = el("div", { class: "playhead", "aria-hidden": "true" });
    this.slider = el(
      "div",
      { class: "lane slider", role: "slider", tabindex: 0, "aria-label": "Frame", "aria-valuemin": 1 },
      this.film,
      this.masks,
    );
    this.strips = el("div", { class: "strips" });
    this.heads = el("div", { class: "heads" }, this.playhead);
    this.box.append(
      el("div", { class: "track frames" }, el("span", { class: "label soft" }, "Frames"), this.slider),
      this.strips,
      this.heads,
    );
    this.filmstrip = new Filmstrip(this.film, session);
    /** @type {Lane[]} */
    this.lanes = [];
    this.laid = "";
    this.draw = onFrame(() => this.drawNow());
    this.listen();
  }

  listen() {
    this.store.watch(["projects", "projectId", "object"], () => this.lay());
    this.store.watch(["frame", "projects", "projectId"], () => this.place());
    new ResizeObserver(() => this.draw()).observe(this.box);
    let scrubbing = false;
    this.box.addEventListener("pointerdown", (event) => {
      const target = /** @type {Element} */ (event.target);
      if (event.button || !target.closest(".lane") || target.closest("button")) return;
      scrubbing = true;
      this.box.setPointerCapture(event.pointerId);
      this.seek(event);
    });
    this.box.addEventListener("pointermove", (event) => scrubbing && this.seek(event));
    for (const end of ["pointerup", "pointercancel"]) this.box.addEventListener(end, () => (scrubbing = false));
  }

  /** @param {PointerEvent} event */
  seek(event) {
    const session = this.session();
    const { left, width } = this.slider.getBoundingClientRect();
    session?.seek(Math.floor(((event.clientX - left) / width) * span(session)));
  }

  /** One lane for each object. */
  lay() {
    const session = this.session();
    const objects = session?.project?.objects ?? [];
    const key = JSON.stringify([session?.id, objects, this.store.state.object]);
    if (key !== this.laid) {
      this.laid = key;
      this.lanes = objects.map((object) => this.lane(object));
      this.strips.replaceChildren(...this.lanes.map((lane) => lane.row));
    }
    this.draw();
  }

  /** @param {Obj} object @returns {Lane} */
  lane(object) {
    const canvas = el("canvas", { class: "strip", role: "img", "aria-label": `Confidence of ${object.name}` });
    const marks = el("div", { class: "marks" });
    const dot = el("i", { class: "dot" });
    dot.style.setProperty("--colour", object.colour);
    const label = el("span", { class: "label", title: object.name }, dot, object.name);
    const selected = this.store.state.object === object.id;
    const row = el(
      "div",
      { class: `track ${selected ? "selected" : ""}` },
      label,
      el("div", { class: "lane" }, canvas, marks),
    );
    return { object, row, canvas, marks, shown: "" };
  }

  drawNow() {
    const session = this.session();
    if (!session?.project) return;
    this.filmstrip.drawNow();
    drawMasks(this.masks, session);
    for (const lane of this.lanes) {
      drawStrip(lane.canvas, session, lane.object);
      this.mark(session, lane);
    }
  }

  /** Buttons over the doubtful and the lost stretches. @param {Session} session @param {Lane} lane */
  mark(session, lane) {
    const stretches = session.track.stretches(lane.object.id, session.project.count).slice(0, MOST_MARKS);
    const all = span(session);
    const key = JSON.stringify([stretches, all]);
    if (key === lane.shown) return;
    lane.shown = key;
    lane.marks.replaceChildren(
      ...stretches.map(({ kind, first, last }) => {
        const label = `${lane.object.name} is ${kind} on ${frames(first, last)}`;
        const mark = el("button", {
          type: "button",
          class: `stretch ${kind}`,
          "aria-label": label,
          title: label,
          onclick: () => session.seek(first),
        });
        mark.style.left = `${(100 * first) / all}%`;
        mark.style.width = `${(100 * (last + 1 - first)) / all}%`;
        return mark;
      }),
    );
  }

  /** Moves the playhead. */
  place() {
    const session = this.session();
    if (!session?.project) return;
    const { frame } = this.store.state;
    const all = span(session);
    this.playhead.style.left = `${(100 * (frame + 0.5)) / all}%`;
    this.slider.setAttribute("aria-valuemax", String(session.project.count));
    this.slider.setAttribute("aria-valuenow", String(frame + 1));
    const { track } = session;
    const mask = track.given.has(frame) ? "your mask" : track.predicted.has(frame) ? "predicted mask" : "no mask";
    this.slider.setAttribute("aria-valuetext", `Frame ${frame + 1} of ${session.project.count}, ${mask}`);
  }
}
