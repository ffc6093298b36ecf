/**
 * Has the server look at the frame on which the user rests with the click tool in hand, so that a click is answered soon.
 * Not while a propagation is at work, which needs the machine for itself.
 */

import { api } from "./api.js";

/** @import {Session} from "./session.js" */

const REST = 400; // milliseconds on a frame

export class Looking {
  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    /** @type {number | null} the frame that is wanted */
    this.wanted = null;
    /** @type {number | null} the frame that the server knows */
    this.ready = null;
    this.known = () => {}; // called then
    this.timer = 0;
    this.stop = new AbortController();
    const { signal } = session.ended;
    signal.addEventListener("abort", () => this.end());
    session.store.watch(["frame", "projectId", "playing", "tool", "jobs", "projects", "connected"], () => this.see(), signal);
  }

  see() {
    const { store, id } = this.session;
    const { frame, playing, tool, connected, projectId } = store.state;
    const rests = tool === "click" && projectId === id && connected && !playing && !store.propagating;
    const wanted = rests && frame < this.session.project.count ? frame : null;
    if (wanted === this.wanted) return;
    this.end();
    this.wanted = wanted;
    if (wanted !== null) this.timer = setTimeout(() => this.look(wanted), REST);
  }

  end() {
    clearTimeout(this.timer);
    this.stop.abort();
    this.stop = new AbortController();
    this.wanted = this.ready = null;
  }

  /** @param {number} frame */
  async look(frame) {
    const { signal } = this.stop;
    try {
      const { ready } = await api.look(this.session.id, frame, signal);
      if (!ready || signal.aborted) return;
      this.ready = frame;
      this.known();
    } catch (error) {
      if (!signal.aborted) console.warn(error); // a click will tell what is wrong
    }
  }
}
