/** Changes of a frame's mask by the user, each of which can be undone. */

import { changeOf, reversed } from "./changes.js";
import { copy, union, whole } from "./ids.js";

/** @import {Back, Change, Step} from "./changes.js" */
/** @import {IdMap} from "./png.js" */
/** @import {Rect} from "./ids.js" */
/** @import {Session} from "./session.js" */
/**
 * @typedef {object} Edit one that is being made
 * @property {number} frame
 * @property {IdMap} before
 * @property {IdMap} map to paint on
 * @property {Rect | null} rect what was painted
 * @property {Promise<void>} ended
 * @property {() => void} end
 *
 * @typedef {{undone: () => void, redone: () => void}} Also what goes along with an edit's undo and redo
 */

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

  /**
   * Begins one, when those before it have ended: they come in the order in which they were asked for, however long one
   * has to wait for what it needs.
   * @param {number} frame @param {Promise<unknown>} [needed] by it, say its object, which may still be made
   * @returns {Promise<Edit>}
   */
  begin(frame, needed = Promise.resolve()) {
    this.waiting++;
    needed.catch(() => {}); // it is told below, when its turn has come
    const begun = this.turn
      .then(() => needed)
      .then(() => this.start(frame))
      .finally(() => this.waiting--);
    this.turn = begun.then(
      (edit) => edit.ended,
      () => {},
    );
    return begun;
  }

  /** @param {number} frame @returns {Promise<Edit>} */
  async start(frame) {
    const before = await this.session.load(frame);
    let end = () => {};
    const ended = new Promise((/** @type {(value: void) => void} */ resolve) => (end = resolve));
    this.open = { frame, before, map: copy(before), rect: null, ended, end };
    return this.open;
  }

  /**
   * Does what changes masks in another way, when the edits before it have ended.
   * @template T @param {() => Promise<T>} work @returns {Promise<T>}
   */
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

  /**
   * Keeps and sends it.
   * @param {Edit} edit @param {string} label what was done
   * @param {Also | null} [also] where there is such, even what changes no pixel can be undone
   */
  async commit(edit, label, also = null) {
    const change = edit.rect && changeOf(edit.before, edit.map, edit.rect);
    if (!change) {
      if (also) this.session.history.push({ label, undo: async () => also.undone(), redo: async () => also.redone() });
      return this.drop(edit);
    }
    const { frame, before } = edit;
    const sent = this.session.masks.change(frame, change, before, { first: true });
    const brings = this.session.objects.broughtBy(change.to);
    const action = this.session.history.push({ label, brings, ...this.ways([{ frame, done: sent }], also) });
    this.drop(edit);
    await sent.catch((error) => {
      this.session.history.forget(action); // it was not done
      throw error;
    });
  }

  /**
   * How steps that are done, or about to be, are undone and redone: by what the server says that it has changed, as a
   * tab may not yet have heard of all that was there.
   * @param {{frame: number, done: Promise<Step>}[]} steps @param {Also | null} [also]
   */
  ways(steps, also = null) {
    const known = steps.map(({ frame, done }) => ({ frame, done, step: /** @type {Step | null} */ (null) }));
    const undo = async () => {
      for (const one of known) {
        const { before, after, change } = (one.step ??= await one.done);
        await this.replay(one.frame, reversed(change), { to: before, from: after });
      }
      also?.undone();
    };
    const redo = async () => {
      for (const one of known) {
        const { before, after, change } = (one.step ??= await one.done);
        one.step = await this.replay(one.frame, change, { to: after, from: before });
      }
      also?.redone();
    };
    return { undo, redo };
  }

  /**
   * Only pixels that are as this tab left them are changed: others are somebody else's by now.
   * @param {number} frame @param {Change} change @param {Back} back @returns {Promise<Step>}
   */
  replay(frame, change, back) {
    return this.alone(async () => {
      this.session.show(frame);
      return this.session.masks.change(frame, change, await this.session.load(frame), { back });
    });
  }

  /** The user's mask of the shown frame goes; the network's shows again. */
  async clear() {
    const edit = await this.begin(this.session.store.state.frame);
    const { frame } = edit;
    try {
      const done = Promise.resolve(await this.session.masks.remove(frame));
      this.session.history.push({ label: "Clear the mask", ...this.ways([{ frame, done }]) });
    } finally {
      this.drop(edit);
    }
  }

  /** The object is not on the shown frame. @param {number} object */
  async erase(object) {
    const edit = await this.begin(this.session.store.state.frame);
    edit.map.ids.forEach((id, i) => id === object && (edit.map.ids[i] = 0));
    this.painted(edit, whole(edit.map));
    await this.commit(edit, "Erase the object here");
  }
}
