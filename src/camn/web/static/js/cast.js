/** The objects of the open project: which one is painted with; made, changed, deleted, and all that undone. */

import { api, ApiError } from "./api.js";
import { note } from "./messages.js";

/** @import {Session} from "./session.js" */
/** @import {Action} from "./history.js" */
/** @import {Obj} from "./types.js" */
/** @typedef {{name?: string, colour?: string}} Wish one of them */
/** @typedef {{along?: boolean, fresh?: boolean}} How along: for an edit, with which it goes; fresh: it had to be new */
/** @typedef {{beside: number | null, made: Promise<Obj>}} Adding beside: the object that was selected meanwhile */

export class Objects {
  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    /** @type {Adding | null} the newest object, while it is being made */
    this.adding = null;
    /** @type {Map<number, Action>} the making of objects for edits that are still to come, by id */
    this.brought = new Map();
    /** @type {Obj | null} the last one that went with the edit that it was made for: its id is free */
    this.spare = null;
  }

  /**
   * The selected object: of one that is being made, that; a new one if there is none.
   * @returns {Promise<Obj>}
   */
  async need() {
    const { store, project, object } = this.session;
    const selected = store.state.object;
    if (this.adding && this.adding.beside === selected) return this.adding.made;
    const known = object ?? project.objects[0];
    if (!known) return this.add({ along: true });
    if (selected !== null && !object) note(`The object that was selected is gone: this is ${known.name} now.`);
    store.set({ object: known.id });
    return known;
  }

  /** @param {How} [how] @returns {Promise<Obj>} */
  add(how = {}) {
    const adding = { beside: this.session.store.state.object, made: this.make(how) };
    this.adding = adding;
    adding.made
      .then(({ id }) => this.select(id, adding))
      .catch(() => {})
      .finally(() => {
        if (this.adding === adding) this.adding = null;
      });
    return adding.made;
  }

  /** A new object, unless the user has chosen another one meanwhile. @param {number} id @param {Adding} adding */
  select(id, adding) {
    if (this.session.store.state.object !== adding.beside) return;
    if (this.adding && this.adding !== adding && this.adding.beside === adding.beside) this.adding.beside = id;
    this.session.store.set({ object: id, fresh: false });
  }

  /** @param {How} how @returns {Promise<Obj>} */
  async make({ along, fresh }) {
    const { session, spare } = this;
    const beside = session.store.state.object;
    this.spare = null;
    const object = await (spare ? api.putObject(session.id, spare) : api.addObject(session.id, {}));
    this.known(object.id, object);
    const action = session.history.push({
      label: `Add ${object.name}`,
      undo: () => (along ? this.takeAway(object, beside, fresh) : this.drop(object)),
      redo: () => this.restore(object),
      spare: () => !session.track.mentions(object.id),
    });
    if (along) this.brought.set(object.id, action);
    return object;
  }

  /** The making of an object for an edit that has painted these ids. @param {Uint8Array} ids */
  broughtBy(ids) {
    for (const [id, action] of this.brought) {
      if (ids.includes(id)) return this.brought.delete(id) ? action : null;
    }
    return null;
  }

  /**
   * All is again as it was before it was made for an edit.
   * @param {Obj} object @param {number | null} beside selected then @param {boolean} [fresh]
   */
  async takeAway(object, beside, fresh = false) {
    const { store } = this.session;
    await this.drop(object);
    if (!this.session.track.mentions(object.id)) this.spare = object;
    if (this.session.project.objects.some(({ id }) => id === beside)) store.set({ object: beside });
    if (fresh && store.state.tool === "click") store.set({ fresh });
  }

  /** Its name or its colour. @param {Obj} object @param {Wish} to */
  async change(object, to) {
    /** @type {Wish} */
    const from = to.name === undefined ? { colour: object.colour } : { name: object.name };
    await this.put(object.id, to);
    this.session.history.push({
      label: `Change ${object.name}`,
      undo: () => this.put(object.id, from, to),
      redo: () => this.put(object.id, to, from),
    });
  }

  /** What another tab has changed or deleted since stays so. @param {number} id @param {Wish} to @param {Wish} [over] */
  async put(id, to, over) {
    const now = this.session.project.objects.find((one) => one.id === id);
    if (!now) return;
    const { name = now.name, colour = now.colour } = over ?? {};
    if (now.name === name && now.colour === colour) await api.putObject(this.session.id, { ...now, ...to });
  }

  /** @param {Obj} object */
  async remove(object) {
    await this.drop(object);
    this.session.history.push({
      label: `Delete ${object.name}`,
      undo: () => this.restore(object),
      redo: () => this.drop(object),
    });
  }

  /** Its neighbour is selected. @param {Obj} object */
  async drop(object) {
    const { session } = this;
    await session.sent; // what was painted with it
    const at = session.project.objects.findIndex((one) => one.id === object.id);
    await api.removeObject(session.id, object.id).catch((error) => {
      if (!(error instanceof ApiError) || error.status !== 404) throw error; // it is gone already
    });
    this.known(object.id, null);
    const left = session.project.objects;
    if (session.store.state.object === object.id) session.store.set({ object: (left[at] ?? left.at(-1))?.id ?? null });
  }

  /** @param {Obj} object */
  async restore(object) {
    if (this.spare?.id === object.id) this.spare = null;
    const there = this.session.project.objects.find((one) => one.id === object.id); // another tab was first
    const { id, name, colour } = there ?? (await api.putObject(this.session.id, object));
    this.known(id, { id, name, colour });
    this.session.store.set({ object: object.id });
  }

  /** What the event will tell, too: how an object is now; null: gone. @param {number} id @param {Obj | null} now */
  known(id, now) {
    const objects = this.session.project.objects.filter((one) => one.id !== id);
    if (now) objects.push(now);
    this.session.store.putProject({ ...this.session.project, objects: objects.sort((a, b) => a.id - b.id) });
  }
}
