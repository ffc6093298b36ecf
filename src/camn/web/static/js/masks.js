/**
 * The masks of the open project as ids, those of deleted objects among them: fetched, kept, changed, and changes sent in
 * order.
 */

import { api, ApiError } from "./api.js";
import { changed, stepOf } from "./changes.js";
import { blank } from "./ids.js";
import { Loader } from "./loader.js";
import { decode, encode } from "./png.js";

/** @import {Back, Change, Step} from "./changes.js" */
/** @import {IdMap} from "./png.js" */
/** @import {Track} from "./track.js" */
/** @import {Changed} from "./types.js" */

const MOST_BYTES = 192 << 20;
const NOT_HERE = "The mask of this frame could not be fetched, so nothing was changed. Try again.";

export class Masks {
  /**
   * @param {string} project @param {Track} track
   * @param {(frame: number) => void} changed a frame's ids have come or changed
   * @param {<T>(request: () => Promise<T>) => Promise<T>} insist asks until the server answers
   */
  constructor(project, track, changed, insist) {
    this.project = project;
    this.track = track;
    this.changed = changed;
    this.insist = insist;
    /** @type {Map<number, number>} frame -> how often it was edited or told anew */
    this.versions = new Map();
    /** @type {Map<number, number>} frame -> changes of ours on their way */
    this.sending = new Map();
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
    const map = await decode(await api.mask(this.project, frame, signal));
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
    const version = this.version(frame);
    const fetched = this.fetch(frame, this.loader.ended.signal);
    fetched.catch(() => this.stale.add(frame));
    const map = await fetched;
    if (version === this.version(frame) && !this.sending.has(frame)) this.loader.keep(String(frame), map);
    else this.stale.add(frame); // it lacks a change made here meanwhile: asked for again when that is sent
  }

  /**
   * The mask of a frame, to begin an edit from.
   * @param {number} frame @param {number} width @param {number} height @returns {Promise<IdMap>}
   */
  async load(frame, width, height) {
    for (let tries = 0; tries < 3; tries++) {
      await this.want(frame);
      const map = this.get(frame);
      if (map) return map;
      if (!this.track.has(frame)) return blank(width, height);
    }
    throw new Error(NOT_HERE); // to begin from nothing would be wrong
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
   * Changes pixels of the user's mask of a frame at once, and sends the change after all that was sent before.
   * @param {number} frame @param {Change} change @param {IdMap} map the frame's, as far as it is known
   * @param {{first?: boolean, back?: Back | null}} how first: just made by the user, over whatever is there, and not to
   *   be lost while the server does not answer; back: it takes a step back, or makes it again
   * @returns {Promise<Step>} what the server has done
   */
  change(frame, change, map, { first = false, back = null }) {
    this.versions.set(frame, this.version(frame) + 1);
    this.loader.keep(String(frame), changed(this.get(frame) ?? map, change, first));
    return this.send(frame, async () => {
      const { rect, from, to } = change;
      const png = await encode({ ids: to, width: rect.width, height: rect.height }, first ? null : from);
      const ask = () => api.changeMask(this.project, frame, png, rect, back);
      const step = await this.answered(await this.echoed(frame, () => (first ? this.insist(ask) : ask())));
      if (back && !back.to.given) this.outdate(frame); // pixels are again what the network says by now
      return step;
    });
  }

  /** Takes the user's mask of a frame away; the network's shows again. @param {number} frame @returns {Promise<Step>} */
  remove(frame) {
    return this.send(frame, async () => {
      const answer = await this.echoed(frame, () => api.removeGiven(this.project, frame));
      this.loader.forget(String(frame));
      this.versions.set(frame, this.version(frame) + 1);
      return this.answered(answer);
    });
  }

  /** @param {Changed} answer */
  answered({ before, after, pixels, ...mask }) {
    this.track.put(mask);
    return stepOf({ before, after, pixels });
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

  /** @template T @param {number} frame @param {() => Promise<T>} change @returns {Promise<T>} */
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
    else this.sending.delete(frame);
    this.changed(frame);
  }

  close() {
    this.loader.close();
  }
}
