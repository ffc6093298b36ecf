/** Undo and redo of this tab's own actions, one after the other. */

import { Signal } from "./signal.js";

/**
 * brings: what was done for it alone, the making of an object, and is undone and redone with it; only where it is spare.
 * @typedef {object} Action
 * @property {string} label
 * @property {() => Promise<unknown>} undo
 * @property {() => Promise<unknown>} redo
 * @property {Action | null} [brings]
 * @property {() => boolean} [spare]
 */

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
    return this.inTurn(async () => {
      const action = await this.move("done", "undone");
      const first = this.done.at(-1);
      if (first && first === action?.brings && first.spare?.()) await this.move("done", "undone");
      return action;
    });
  }

  redo() {
    return this.inTurn(async () => {
      const action = await this.move("undone", "done");
      const brought = action && this.undone.at(-1)?.brings === action;
      return brought ? this.move("undone", "done") : action;
    });
  }

  /** @param {() => Promise<Action | undefined>} work @returns {Promise<Action | undefined>} what was undone or redone */
  inTurn(work) {
    const moved = this.queue.then(work);
    this.queue = moved.catch(() => this.changed.tell());
    return moved;
  }

  /** @param {"done" | "undone"} from @param {"done" | "undone"} to */
  async move(from, to) {
    const action = this[from].pop();
    if (!action) return undefined;
    await action[to === "done" ? "redo" : "undo"]().catch((error) => {
      this[from].push(action); // not done: it can be tried again
      throw error;
    });
    this[to].push(action);
    this.changed.tell();
    return action;
  }
}
