/** What a click would take, shown under the pointer, as long as the server answers at once. */

import { ask, baseOf, partOf } from "./marking.js";
import { added, NONE } from "./marks.js";
import { rgba } from "./overlay.js";

/** @import {Dot} from "./marks.js" */
/** @import {Base, Marking} from "./marking.js" */
/** @import {IdMap} from "./png.js" */
/** @import {Session} from "./session.js" */
/** @import {Viewport} from "./viewport.js" */
/** @typedef {{canvas: HTMLCanvasElement, x: number, y: number, of: string}} Shown */

const QUICK = 100; // milliseconds
const PATIENCE = 2; // answers in a row that may be slower

export class Preview {
  /** @param {Session} session @param {() => void} redraw */
  constructor(session, redraw) {
    this.session = session;
    this.redraw = redraw;
    /** @type {{dot: Dot, marking: Marking | null, object: number | null} | null} what is asked next */
    this.wanted = null;
    /** @type {Shown | null} */
    this.shown = null;
    /** @type {{map: IdMap, object: number | null, base: Promise<Base>} | null} */
    this.base = null;
    this.asking = false; // one question at a time
    this.late = 0; // answers in a row that were slow
    this.frame = -1; // on which they were
    session.looking.known = () => this.run(); // the pointer may have come before
  }

  /** May it be asked for? */
  get allowed() {
    const { store, looking } = this.session;
    const { frame, playing } = store.state;
    if (this.frame !== frame) this.late = 0;
    this.frame = frame;
    return looking.ready === frame && !playing && !store.propagating && this.late < PATIENCE;
  }

  /** The pointer is there. @param {Dot} dot @param {Marking | null} marking @param {number | null} object */
  point(dot, marking, object) {
    this.wanted = { dot, marking, object };
    this.run();
  }

  clear() {
    this.wanted = this.shown = null;
    this.redraw();
  }

  async run() {
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.wanted && this.allowed) await this.ask(this.wanted);
    } finally {
      this.asking = false;
      this.session.store.set({ slow: this.late >= PATIENCE });
    }
  }

  /** @param {{dot: Dot, marking: Marking | null, object: number | null}} wanted */
  async ask(wanted) {
    const { frame } = this.session.store.state;
    const marks = added(wanted.marking?.shown ?? NONE, wanted.dot);
    try {
      const base = await this.begins(frame, wanted);
      const began = performance.now();
      const [best] = await ask(this.session, frame, marks, base, this.session.ended.signal, true);
      this.late = performance.now() - began > QUICK ? this.late + 1 : 0;
      const canvas = best.mask ? await this.picture(await partOf({ ...best, mask: best.mask }), wanted.object) : null;
      if (this.wanted && this.frame === frame) this.shown = canvas && { canvas, x: best.x, y: best.y, of: `${frame}` };
    } catch {
      this.shown = null; // a click there would tell why
    }
    if (this.wanted === wanted) this.wanted = null;
    this.redraw();
  }

  /** @param {number} frame @param {{marking: Marking | null, object: number | null}} wanted */
  async begins(frame, { marking, object }) {
    if (marking?.begun) return marking.begun;
    const map = await this.session.load(frame);
    if (this.base?.map !== map || this.base.object !== object) this.base = { map, object, base: baseOf(map, object) };
    return this.base.base;
  }

  /** @param {IdMap} part @param {number | null} object */
  picture(part, object) {
    const { colour } = this.session.project.objects.find((one) => one.id === object) ?? { colour: "#ffffff" };
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: part.width, height: part.height });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const pixels = context.createImageData(part.width, part.height);
    const out = new Uint32Array(pixels.data.buffer);
    const ink = rgba(colour, 0.45);
    part.ids.forEach((id, i) => id && (out[i] = ink));
    context.putImageData(pixels, 0, 0);
    return canvas;
  }

  /** @param {CanvasRenderingContext2D} context @param {Viewport} viewport */
  draw(context, viewport) {
    if (!this.shown || this.shown.of !== `${this.session.store.state.frame}`) return;
    const { canvas, x, y } = this.shown;
    const [left, top] = viewport.toCanvas([x, y]);
    context.drawImage(canvas, left, top, canvas.width * viewport.scale, canvas.height * viewport.scale);
  }
}
