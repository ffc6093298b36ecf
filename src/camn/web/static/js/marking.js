/** An object that is being marked on a frame by clicks: what was clicked so far, and what is being asked. */

import { api } from "./api.js";
import { blank, paintAnswer, paste } from "./ids.js";
import { chosen, empty, NONE } from "./marks.js";
import { decode, encode, fromText, toText } from "./png.js";

/** @import {Marks} from "./marks.js" */
/** @import {IdMap} from "./png.js" */
/** @import {Session} from "./session.js" */
/** @import {Candidate, Obj} from "./types.js" */
/** @typedef {(marks: Marks) => Marks} Step */
/**
 * What was there before the first click. under: the frame's ids; mask: what the object begins from, as it is sent; null:
 * it was not there.
 * @typedef {{under: IdMap, mask: string | null}} Base
 */

const NOTHING = "No object was found there, so nothing is changed. Click in the middle of it, or drag a box around it.";

/** @param {IdMap} under @param {number | null} id @returns {Promise<Base>} */
export async function baseOf(under, id) {
  const ids = under.ids.map((one) => (one === id ? 255 : 0));
  if (id === null || !ids.includes(255)) return { under, mask: null };
  return { under, mask: await toText(await encode({ ...under, ids })) };
}

/**
 * @param {Session} session @param {number} frame @param {Marks} marks @param {Base} base @param {AbortSignal} signal
 * @param {boolean} rough sooner, for what is only pointed at
 */
export async function ask(session, frame, { dots, box, candidate }, { mask }, signal, rough = false) {
  return (await api.clicks(session.id, frame, { clicks: dots, box, candidate, mask, rough }, signal)).candidates;
}

/** Where an answer says that the object is. @param {Candidate & {mask: string}} one @returns {Promise<IdMap>} */
export const partOf = ({ mask }) => decode(fromText(mask));

export class Marking {
  /** @param {Session} session @param {number} frame @param {boolean} fresh of a new object, whatever others there are */
  constructor(session, frame, fresh) {
    this.session = session;
    this.frame = frame;
    this.fresh = fresh;
    /** @type {number | null} null: it has still to be made */
    this.object = null;
    this.making = false; // meanwhile it is selected
    this.selected = session.store.state.object; // when it was begun
    this.marks = NONE;
    /** @type {Step[]} asked for and not answered yet, in their order */
    this.steps = [];
    /** @type {Base | null} */
    this.base = null;
    this.stop = new AbortController();
  }

  /** With all that is asked for. @returns {Marks} */
  get shown() {
    return this.steps.reduce((marks, step) => step(marks), this.marks);
  }

  /** Is it what the user is at? @param {number} frame @param {number | null} object the selected one */
  holds(frame, object) {
    if (this.frame !== frame) return false;
    return this.object === null ? this.making || object === this.selected : object === this.object;
  }

  /** Is there no object, and is none asked for? */
  get nothing() {
    return this.object === null && !this.steps.length;
  }

  /** What the answers so far began from; null without any. */
  get begun() {
    return empty(this.marks) ? null : this.base;
  }

  /** What is asked for is not wanted any longer. */
  drop() {
    this.stop.abort();
    this.stop = new AbortController();
    this.steps = [];
  }

  /**
   * Makes a step: asks what the object is then, and edits it in. Steps that come meanwhile wait for their turn.
   * @param {Step} step @param {string} label @param {Promise<Obj | null>} target the object, if there is one already
   * @param {(marks: Marks) => void} restored called when the step is undone or redone
   */
  async take(step, label, target, restored) {
    const { signal } = this.stop;
    const { edits } = this.session;
    this.steps.push(step);
    try {
      const edit = await edits.begin(this.frame, target);
      const was = this.marks;
      try {
        const id = this.object ?? (await target)?.id ?? null;
        const base = this.begun ?? (await baseOf(edit.before, id));
        this.base = base;
        signal.throwIfAborted();
        const marks = await this.answered(step(was), base, signal);
        const found = await this.pixels(marks, base, id);
        signal.throwIfAborted();
        this.object = id ?? (await this.made());
        const table = this.table(marks, base, this.object);
        edits.painted(edit, paintAnswer(edit.map, found, this.object, table, base.under));
        this.settle(step, marks);
      } catch (error) {
        edits.drop(edit);
        throw error;
      }
      const { marks } = this;
      const also = { undone: () => this.restore(was, restored), redone: () => this.restore(marks, restored) };
      await edits.commit(edit, label, also).catch((error) => {
        this.marks = was; // it was not done
        throw error;
      });
    } finally {
      this.settle(step, this.marks);
    }
  }

  /** Makes the object, or finds it, now that there is something of it. */
  async made() {
    this.making = true;
    const { objects } = this.session;
    try {
      return (await (this.fresh ? objects.add({ along: true, fresh: true }) : objects.need())).id;
    } finally {
      this.making = false;
    }
  }

  /**
   * What the object's pixels take the place of: of other objects, those on which was clicked, and all for a box.
   * @param {Marks} marks @param {Base} base @param {number} id
   */
  table({ dots, box }, { under }, id) {
    const table = this.session.table(id, id);
    const taken = dots.filter(({ positive }) => positive).map(({ x, y }) => under.ids[y * under.width + x]);
    for (const one of this.session.project.objects) {
      if (!box && one.id !== id && !taken.includes(one.id)) table[one.id] = one.id;
    }
    return table;
  }

  /** @param {Step} step that is over @param {Marks} marks */
  settle(step, marks) {
    this.marks = marks;
    this.steps = this.steps.filter((one) => one !== step);
  }

  /** @param {Marks} marks @param {(marks: Marks) => void} restored */
  restore(marks, restored) {
    this.marks = marks;
    restored(marks);
  }

  /** @param {Marks} marks @param {Base} base @param {AbortSignal} signal @returns {Promise<Marks>} */
  async answered(marks, base, signal) {
    if (marks.found || empty(marks)) return marks;
    return { ...marks, found: await ask(this.session, this.frame, marks, base, signal) };
  }

  /** Not 0 where the object is. @param {Marks} marks @param {Base} base @param {number | null} id @returns {Promise<IdMap>} */
  async pixels(marks, { under }, id) {
    const { width, height } = under;
    if (empty(marks)) return { width, height, ids: under.ids.map((one) => Number(one === id)) };
    const one = chosen(marks);
    if (!one?.mask) throw new Error(NOTHING);
    return paste(blank(width, height), await partOf({ ...one, mask: one.mask }), one.x, one.y);
  }
}
