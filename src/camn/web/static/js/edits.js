/** Changes of a frame's mask by the user, each of which can be undone. */

import { copy, cut, paste, union } from "./ids.js";

/** @import {IdMap} from "./png.js" */
/** @import {Rect} from "./ids.js" */
/** @import {Session} from "./session.js" */
/**
 * @typedef {object} Edit one that is being made
 * @property {number} frame
 * @property {boolean} given had the frame a mask of the user's before?
 * @property {IdMap} before
 * @property {IdMap} map to paint on
 * @property {Rect | null} rect what was painted
 * @property {Promise<void>} ended
 * @property {() => void} end
 */

/**
 * The smallest part of `rect` in which the maps differ; null: nowhere.
 * @param {IdMap} a @param {IdMap} b @param {Rect} rect @returns {Rect | null}
 */
function difference(a, b, rect) {
  let left = Infinity;
  let right = -1;
  let top = -1;
  let bottom = -1;
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    for (let x = rect.x; x < rect.x + rect.width; x++) {
      if (a.ids[y * a.width + x] === b.ids[y * a.width + x]) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (top < 0) top = y;
      bottom = y;
    }
  }
  return bottom < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

export class Edits {
  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    /** @type {Edit | null} the one that is being made now */
    this.open = null;
    this.waiting = 0; // for their turn, or for their frame's mask
    /** @type {Promise<unknown>} the end of the last one that was asked for */
    this.turn = Promise.resolve();
  }

  /** Is one being made, or about to be? */
  get busy() {
    return this.open !== null || this.waiting > 0;
  }

  /** Begins one, when those before it have ended. @param {number} [frame] the shown one @returns {Promise<Edit>} */
  begin(frame = this.session.store.state.frame) {
    this.waiting++;
    const begun = this.turn.then(() => this.start(frame)).finally(() => this.waiting--);
    this.turn = begun.then(
      (edit) => edit.ended,
      () => {},
    );
    return begun;
  }

  /** @param {number} frame @returns {Promise<Edit>} */
  async start(frame) {
    const { masks, track, project } = this.session;
    const before = await masks.load(frame, project.width, project.height);
    const given = track.given.has(frame) || masks.newest.has(frame); // the answer to the last one may be on its way
    let end = () => {};
    const ended = new Promise((/** @type {(value: void) => void} */ resolve) => (end = resolve));
    this.open = { frame, given, before, map: copy(before), rect: null, ended, end };
    return this.open;
  }

  /** Does what changes masks in another way, when the edits before it have ended. @param {() => Promise<void>} work */
  alone(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  /** @param {Edit} edit @param {Rect} rect of its map that was painted */
  painted(edit, rect) {
    edit.rect = union(edit.rect, rect);
    this.session.painted.tell(rect);
  }

  /** @param {Edit} edit */
  drop(edit) {
    if (this.open === edit) this.open = null;
    edit.end();
    this.session.maskChanged.tell(edit.frame);
  }

  /** Keeps and sends it. @param {Edit} edit @param {string} label what was done */
  async commit(edit, label) {
    const rect = edit.rect && difference(edit.before, edit.map, edit.rect);
    if (!rect) return this.drop(edit);
    const { frame, given, before, map } = edit;
    const [old, now] = [cut(before, rect), cut(map, rect)];
    this.session.history.push({
      label,
      undo: () => this.alone(() => (given ? this.repaint(frame, rect, old) : this.remove(frame))),
      redo: () => this.alone(() => this.repaint(frame, rect, now)),
    });
    const sent = this.session.masks.put(frame, map);
    this.drop(edit);
    await sent;
  }

  /** @param {number} frame @param {Rect} rect @param {Uint8Array} pixels */
  async repaint(frame, rect, pixels) {
    this.session.show(frame);
    const { width, height } = this.session.project;
    const map = copy(await this.session.masks.load(frame, width, height));
    paste(map, rect, pixels);
    await this.session.masks.put(frame, map);
  }

  /** @param {number} frame */
  async remove(frame) {
    this.session.show(frame);
    await this.session.masks.remove(frame);
  }

  /** The user's mask of the shown frame goes; the network's shows again. */
  async clear() {
    const edit = await this.begin();
    const { frame, before } = edit;
    this.session.history.push({
      label: "Clear the mask",
      undo: () => this.alone(() => this.session.masks.put(frame, copy(before))),
      redo: () => this.alone(() => this.remove(frame)),
    });
    await this.remove(frame).finally(() => this.drop(edit));
  }

  /** The object is not on the shown frame. @param {number} object */
  async erase(object) {
    const edit = await this.begin();
    edit.map.ids.forEach((id, i) => id === object && (edit.map.ids[i] = 0));
    this.painted(edit, { x: 0, y: 0, width: edit.map.width, height: edit.map.height });
    await this.commit(edit, "Erase the object here");
  }
}
