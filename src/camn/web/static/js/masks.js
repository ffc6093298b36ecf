/** The masks of the open project as ids: fetched, kept, edited, and sent in order. */

import { api, ApiError } from "./api.js";
import { blank } from "./ids.js";
import { Loader } from "./loader.js";
import { decode, encode } from "./png.js";

/** @import {IdMap} from "./png.js" */
/** @import {Track} from "./track.js" */

const MOST_BYTES = 192 << 20;

export class Masks {
  /**
   * @param {string} project @param {Track} track
   * @param {(frame: number) => void} changed a frame's ids have come or changed
   */
  constructor(project, track, changed) {
    this.project = project;
    this.track = track;
    this.changed = changed;
    /** @type {Map<number, number>} frame -> how often it was edited or told anew */
    this.versions = new Map();
    /** @type {Map<number, number>} frame -> changes of ours on their way */
    this.sending = new Map();
    /** @type {Map<number, IdMap>} frame -> what was put last, while it is on its way */
    this.newest = new Map();
    /** @type {Map<number, number>} frame -> events to come that tell of changes of ours */
    this.echoes = new Map();
    /** @type {Promise<unknown>} */
    this.queue = Promise.resolve();
    /** @type {Loader<IdMap>} */
    this.loader = new Loader(
      (key, signal) => this.fetch(Number(key), signal),
      (map) => map.ids.length,
      MOST_BYTES,
    );
    /** @type {Set<number>} shown until the new one is here */
    this.stale = new Set();
  }

  /** @param {number} frame @param {AbortSignal} signal @returns {Promise<IdMap>} */
  async fetch(frame, signal) {
    const version = this.version(frame);
    const map = await decode(await api.mask(this.project, frame, "shown", signal));
    if (version !== this.version(frame)) return this.loader.kept.get(String(frame)) ?? this.fetch(frame, signal);
    this.stale.delete(frame);
    return map;
  }

  /** @param {number} frame */
  version(frame) {
    return this.versions.get(frame) ?? 0;
  }

  /** What is here of a frame's mask; undefined: nothing is, or there is none. @param {number} frame */
  get(frame) {
    return this.track.has(frame) || this.sending.has(frame) ? this.loader.get(String(frame)) : undefined;
  }

  /** Fetches a frame's mask if there is one and it is not here. @param {number} frame */
  async want(frame) {
    if (!this.track.has(frame) || this.sending.has(frame)) return;
    if (this.loader.kept.has(String(frame)) && !this.stale.has(frame)) return;
    if (this.stale.has(frame) && this.loader.loading.has(String(frame))) return;
    try {
      await (this.stale.has(frame) ? this.refresh(frame) : this.loader.load(String(frame)));
      this.changed(frame);
    } catch (error) {
      const known = error instanceof ApiError && [404, 0].includes(error.status); // gone; the connection is lost
      if (!known && !(error instanceof DOMException)) throw error;
    }
  }

  /** @param {number} frame */
  async refresh(frame) {
    this.stale.delete(frame);
    const fetched = this.fetch(frame, this.loader.ended.signal);
    fetched.catch(() => this.stale.add(frame));
    const map = await fetched;
    if (!this.sending.has(frame)) this.loader.keep(String(frame), map);
  }

  /**
   * The mask of a frame, to begin an edit from.
   * @param {number} frame @param {number} width @param {number} height @returns {Promise<IdMap>}
   */
  async load(frame, width, height) {
    await this.want(frame);
    return this.get(frame) ?? blank(width, height);
  }

  /** Somebody changed this frame's mask; an echo of ours tells nothing new. @param {number} frame */
  told(frame) {
    const echoes = this.echoes.get(frame) ?? 0;
    if (echoes) this.echoes.set(frame, echoes - 1);
    else this.outdate(frame);
    this.changed(frame);
  }

  /** What is here of a frame's mask is old. @param {number} frame */
  outdate(frame) {
    this.versions.set(frame, this.version(frame) + 1);
    if (!this.track.has(frame)) this.loader.forget(String(frame));
    else if (this.loader.kept.has(String(frame))) this.stale.add(frame);
  }

  /**
   * Keeps the user's mask of a frame and sends it, after all that was sent before.
   * @param {number} frame @param {IdMap} map
   */
  put(frame, map) {
    this.versions.set(frame, this.version(frame) + 1);
    this.stale.delete(frame);
    this.loader.keep(String(frame), map);
    this.newest.set(frame, map);
    return this.send(frame, async () => {
      if (this.newest.get(frame) !== map) return; // a newer one follows
      const png = await encode(map);
      this.track.put(await this.echoed(frame, () => api.putMask(this.project, frame, png)));
    });
  }

  /** Takes the user's mask of a frame away; the network's shows again. @param {number} frame */
  remove(frame) {
    return this.send(frame, async () => {
      this.track.put(await this.echoed(frame, () => api.removeGiven(this.project, frame)));
      this.loader.forget(String(frame));
      this.versions.set(frame, this.version(frame) + 1);
    });
  }

  /** @template T @param {number} frame @param {() => Promise<T>} request that makes an event @returns {Promise<T>} */
  async echoed(frame, request) {
    this.echoes.set(frame, (this.echoes.get(frame) ?? 0) + 1);
    try {
      return await request();
    } catch (error) {
      this.echoes.set(frame, Math.max(0, (this.echoes.get(frame) ?? 0) - 1));
      throw error;
    }
  }

  /** @param {number} frame @param {() => Promise<void>} change */
  send(frame, change) {
    this.sending.set(frame, (this.sending.get(frame) ?? 0) + 1);
    const sent = this.queue
      .then(change)
      .catch((error) => this.refused(frame, error))
      .finally(() => this.sent(frame));
    this.queue = sent.catch(() => {});
    return sent;
  }

  /**
   * What the server did not take is not shown any longer.
   * @param {number} frame @param {unknown} error @returns {never}
   */
  refused(frame, error) {
    this.track.has(frame) ? this.stale.add(frame) : this.loader.forget(String(frame));
    throw error;
  }

  /** @param {number} frame */
  sent(frame) {
    const left = (this.sending.get(frame) ?? 1) - 1;
    if (left) this.sending.set(frame, left);
    else [this.sending, this.newest].forEach((map) => map.delete(frame));
    this.changed(frame);
  }

  close() {
    this.loader.close();
  }
}
