/** Plays: each frame when it is due and its picture and mask are here, so that none is passed over. */

/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */

const AHEAD = 12; // frames that are fetched before they are due

export class Player {
  /** @param {Store} store @param {() => Session | null} session */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    this.due = 0;
    this.ticking = false;
    store.watch(["playing"], () => store.state.playing && this.start());
  }

  toggle() {
    const session = this.session();
    const { playing, frame } = this.store.state;
    if (!session?.project.count) return;
    if (!playing && frame >= session.project.count - 1) session.show(0);
    this.store.set({ playing: !playing, follow: playing && this.store.state.follow });
  }

  start() {
    if (this.ticking) return;
    this.ticking = true;
    this.due = performance.now();
    requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now */
  tick(now) {
    const session = this.session();
    this.ticking = this.store.state.playing && session !== null;
    if (!this.ticking || !session) return;
    requestAnimationFrame((next) => this.tick(next));
    const { frame } = this.store.state;
    const { count, state, fps } = session.project;
    if (frame >= count - 1) {
      if (state === "ready") this.store.set({ playing: false });
      return;
    }
    this.fetch(session, frame, count);
    if (now < this.due || !this.here(session, frame + 1)) return;
    const step = 1000 / (fps || 25);
    this.due = Math.max(this.due + step, now - step); // what was lost in waiting is not caught up
    session.show(frame + 1);
  }

  /**
   * Farthest first, as the loader takes the newest wish first.
   * @param {Session} session @param {number} frame @param {number} count
   */
  fetch(session, frame, count) {
    for (let n = Math.min(count - 1, frame + AHEAD); n > frame; n--) {
      if (!session.frames.get(n, "display")) session.frames.load(n, "display");
      session.masks.want(n);
    }
  }

  /** @param {Session} session @param {number} frame */
  here(session, frame) {
    return session.frames.get(frame, "display") && (!session.track.has(frame) || session.masks.get(frame));
  }
}
