/** The large picture: the frame, its mask in colours, and what the tool draws; zoomed and moved by the pointer. */

import { shrink } from "./ids.js";
import { lookOf, Overlay } from "./overlay.js";
import { onFrame } from "./signal.js";
import { Viewport } from "./viewport.js";

/** @import {Rect} from "./ids.js" */
/** @import {IdMap} from "./png.js" */
/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {Tool} from "./tools/tool.js" */

const CHECKER = 12; // CSS pixels

/** The pattern behind a cut-out. */
function checker() {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 2 * CHECKER;
  const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  context.fillStyle = "#8b8f96";
  context.fillRect(0, 0, tile.width, tile.height);
  context.fillStyle = "#a6aab1";
  context.fillRect(0, 0, CHECKER, CHECKER);
  context.fillRect(CHECKER, CHECKER, CHECKER, CHECKER);
  return /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
}

export class Stage {
  /** @param {HTMLCanvasElement} canvas @param {Store} store */
  constructor(canvas, store) {
    this.canvas = canvas;
    this.store = store;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    this.scratch = document.createElement("canvas"); // for the cut-out view
    this.checker = checker();
    this.viewport = new Viewport();
    this.overlay = new Overlay();
    /** @type {Session | null} */
    this.session = null;
    /** @type {Tool | null} */
    this.tool = null;
    /** @type {{frame: number, picture: ImageBitmap} | null} what is drawn */
    this.shown = null;
    /** @type {Rect | null} of the edit's map, painted since it was drawn */
    this.dirty = null;
    /** @type {{map: IdMap, key: string} | null} what the overlay holds */
    this.drawn = null;
    this.background = "#000";
    this.drawing = false; // is the tool held down?
    this.grabbing = false; // is Space held, by which the frame is moved?
    this.redraw = onFrame(() => this.draw());
    new ResizeObserver(() => this.resize()).observe(canvas);
    store.watch(["frame", "view", "opacity", "hidden", "projects", "playing", "object"], () => this.refresh());
  }

  /** @param {Session | null} session */
  open(session) {
    this.session = session;
    this.shown = this.drawn = null;
    delete this.canvas.dataset.shown;
    this.viewport.fitted = true;
    session?.maskChanged.watch((frame) => frame === this.shown?.frame && this.refresh());
    session?.painted.watch((rect) => this.painted(rect));
    this.resize();
    this.refresh();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    this.background = getComputedStyle(this.canvas).backgroundColor;
    if (this.session) this.viewport.resize({ width, height }, this.session.project);
    this.draw();
  }

  /** @param {Rect} rect */
  painted(rect) {
    const edit = this.session?.edits.open;
    if (edit && this.drawn?.map === edit.map) this.overlay.draw(edit.map, this.look(edit.map), rect);
    this.redraw();
  }

  /** Fetches what is needed for the frame, and draws it as soon as it is here. @returns {Promise<void>} */
  async refresh() {
    const { session } = this;
    if (!session || !session.project?.count) return this.redraw();
    const { frame } = this.store.state;
    this.viewport.resize(this.viewport.canvas, session.project); // its size is known since the first frame
    session.masks.want(frame);
    const display = session.frames.get(frame, "display");
    if (display) this.show(frame, session.frames.get(frame, "full") ?? display);
    try {
      if (!display) await session.frames.load(frame, "display");
      if (frame === this.store.state.frame && !display) return this.refresh();
      if (this.sharp(session)) await this.sharpen(session, frame);
    } catch (error) {
      if (!(error instanceof DOMException)) console.warn(error);
    }
  }

  /** Is there more to be seen than the display size holds? @param {Session} session */
  sharp(session) {
    const { display_width, width } = session.project;
    return (
      !this.store.state.playing &&
      width > display_width &&
      this.viewport.scale * width * devicePixelRatio > display_width
    );
  }

  /** @param {Session} session @param {number} frame */
  async sharpen(session, frame) {
    if (!session.frames.get(frame, "full")) {
      await new Promise((resolve) => setTimeout(resolve, 150)); // not while somebody only passes by
      if (frame !== this.store.state.frame || session !== this.session) return;
    }
    const picture = await session.frames.load(frame, "full");
    if (frame === this.store.state.frame && session === this.session) this.show(frame, picture);
  }

  /** @param {number} frame @param {ImageBitmap} picture */
  show(frame, picture) {
    this.shown = { frame, picture };
    this.canvas.dataset.shown = String(frame);
    this.redraw();
  }

  /** @param {IdMap} map */
  look(map) {
    const { hidden, view, opacity } = this.store.state;
    return lookOf(this.session?.project.objects ?? [], hidden, view, opacity, map.height);
  }

  /** Brings the overlay up to date. @returns {boolean} is there a mask? */
  colour() {
    const { session, shown } = this;
    if (!session || !shown) return false;
    const edit = session.edits.open;
    const map = edit?.frame === shown.frame ? edit.map : session.masks.get(shown.frame);
    if (!map) return false;
    const { hidden, view, opacity, playing } = this.store.state;
    const small = playing && map.width > session.project.display_width;
    const colours = session.project.objects.map((object) => object.id + object.colour).join();
    const key = [view, opacity, [...hidden].join(), colours, small].join("/");
    if (this.drawn?.map !== map || this.drawn.key !== key) {
      const { display_width, display_height } = session.project;
      const seen = small ? shrink(map, display_width, display_height) : map;
      this.overlay.draw(seen, this.look(seen));
      this.drawn = { map, key };
    }
    return true;
  }

  draw() {
    const { canvas, context, viewport, shown, session } = this;
    const ratio = devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = this.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!session || !shown) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const masked = this.colour();
    canvas.dataset.masked = String(masked);
    if (this.store.state.view === "cutout") this.drawCutout(shown.picture, masked);
    else this.drawPicture(context, shown.picture, masked);
    this.tool?.draw(context, viewport);
  }

  /** @param {CanvasRenderingContext2D} context @param {CanvasImageSource} image */
  place(context, image) {
    const {
      x,
      y,
      scale,
      image: { width, height },
    } = this.viewport;
    context.imageSmoothingEnabled = scale < 6; // from here on pixels are looked at
    context.drawImage(image, x, y, width * scale, height * scale);
  }

  /** @param {CanvasRenderingContext2D} context @param {ImageBitmap} picture @param {boolean} masked */
  drawPicture(context, picture, masked) {
    this.place(context, picture);
    if (masked) this.place(context, this.overlay.canvas);
  }

  /** @param {ImageBitmap} picture @param {boolean} masked */
  drawCutout(picture, masked) {
    const { canvas, context, scratch, viewport } = this;
    const {
      x,
      y,
      scale,
      image: { width, height },
    } = viewport;
    context.fillStyle = this.checker;
    context.fillRect(x, y, width * scale, height * scale);
    if (!masked) return;
    Object.assign(scratch, { width: canvas.width, height: canvas.height });
    const cut = /** @type {CanvasRenderingContext2D} */ (scratch.getContext("2d"));
    cut.setTransform(context.getTransform());
    this.place(cut, picture);
    cut.globalCompositeOperation = "destination-in";
    this.place(cut, this.overlay.canvas);
    context.drawImage(scratch, 0, 0, canvas.clientWidth, canvas.clientHeight);
  }
}
