/** Undo and redo of this tab's own actions, one after the other. */

import { Signal } from "./signal.js";

/** @typedef {{label: string, undo: () => Promise<unknown>, redo: () => Promise<unknown>}} Action */

const MOST = 200;

export class History {
  constructor() {
    /** @type {Action[]} */
    this.done = [];
    /** @type {Action[]} */
    this.undone = [];
    /** @type {Promise<unknown>} */
    this.queue = Promise.resolve();
    /** @type {Signal<void>} */
    this.changed = new Signal();
  }

  /** @param {Action} action has been done */
  push(action) {
    this.done.push(action);
    if (this.done.length > MOST) this.done.shift();
    this.undone = [];
    this.changed.tell();
    return action;
  }

  /** It came to nothing: there is nothing to be undone. @param {Action} action */
  forget(action) {
    this.done = this.done.filter((other) => other !== action);
    this.undone = this.undone.filter((other) => other !== action);
    this.changed.tell();
  }

  undo() {
    return this.move("done", "undone", (action) => action.undo());
  }

  redo() {
    return this.move("undone", "done", (action) => action.redo());
  }

  /**
   * @param {"done" | "undone"} from @param {"done" | "undone"} to @param {(action: Action) => Promise<unknown>} work
   * @returns {Promise<Action | undefined>} what was undone or redone
   */
  move(from, to, work) {
    const moved = this.queue.then(async () => {
      const action = this[from].pop();
      if (!action) return undefined;
      await work(action).catch((error) => {
        this[from].push(action); // not done: it can be tried again
        throw error;
      });
      this[to].push(action);
      this.changed.tell();
      return action;
    });
    this.queue = moved.catch(() => this.changed.tell());
    return moved;
  }
}
