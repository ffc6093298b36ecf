/** The open project: its frames, masks, track, and what was done to it. */

import { api, ApiError } from "./api.js";
import { Objects } from "./cast.js";
import { Edits } from "./edits.js";
import { Frames } from "./frames.js";
import { History } from "./history.js";
import { hasAny, paintTable } from "./ids.js";
import { Looking } from "./looking.js";
import { Masks } from "./masks.js";
import { note } from "./messages.js";
import { Signal } from "./signal.js";
import { Track } from "./track.js";

/** @import {Rect} from "./ids.js" */
/** @import {Store} from "./store.js" */
/** @import {Obj, Project, ServerEvent} from "./types.js" */

const RETRY = 1000; // milliseconds

export class Session {
  /** @param {Store} store @param {string} id of the project, which the store knows */
  constructor(store, id) {
    this.store = store;
    this.id = id;
    this.track = new Track();
    /** @type {Signal<number>} the ids of a frame have come or changed */
    this.maskChanged = new Signal();
    /** @type {Signal<Rect>} a part of the edit's map was painted */
    this.painted = new Signal();
    /** @type {Signal<void>} */
    this.trackChanged = new Signal();
    /** @type {Signal<boolean>} is all that was done with the server? */
    this.savedChanged = new Signal();
    this.pending = 0; // actions that are not
    /** @type {Set<string>} notes of the project that were told */
    this.told = new Set();
    /** @type {ServerEvent[]} heard since what is known was asked for: they are newer than the answer */
    this.late = [];
    this.reloading = false;
    /** @type {number | null} the frame that a propagation came to last, and that is to be shown */
    this.ahead = null;
    this.following = false;
    this.frames = new Frames(id);
    this.masks = new Masks(
      id,
      this.track,
      (frame) => this.maskChanged.tell(frame),
      (request) => this.insist(request),
    );
    this.history = new History();
    this.edits = new Edits(this);
    this.objects = new Objects(this);
    this.maskChanged.watch(() => {
      this.trackChanged.tell();
      this.savedChanged.tell(this.saved);
    });
    this.ended = new AbortController();
    this.looking = new Looking(this);
  }

  /** @returns {Project} */
  get project() {
    return /** @type {Project} */ (this.store.state.projects.find((project) => project.id === this.id));
  }

  /** The selected object. @returns {Obj | undefined} */
  get object() {
    return this.project.objects.find((object) => object.id === this.store.state.object);
  }

  get saved() {
    return this.pending === 0 && this.edits.open === null;
  }

  /** The end of all that was begun so far. */
  get settled() {
    return Promise.allSettled([this.objects.adding?.made, this.edits.turn]);
  }

  /** The same, and all of it has come to the server. */
  get sent() {
    return this.settled.then(() => this.masks.queue);
  }

  /** Does what ends with a change on the server. @param {() => Promise<unknown>} action */
  async act(action) {
    this.pending++;
    this.savedChanged.tell(false);
    try {
      await action();
    } finally {
      this.pending--;
      this.savedChanged.tell(this.saved);
    }
  }

  /** Fetches what is known anew. */
  async reload() {
    const before = this.project;
    this.reloading = true;
    const { detail, confidence } = await this.fetch().finally(() => (this.reloading = false));
    const { given: _given, predicted: _predicted, jobs, ...project } = detail;
    if (this.project === before) this.store.putProject(project);
    jobs.reverse().forEach((job) => this.store.addJob(job));
    const known = [...this.masks.loader.kept.keys()].map(Number);
    this.track.fill(detail, confidence);
    this.late.splice(0).forEach((event) => this.heard(event));
    this.masks.echoes.clear();
    known.forEach((frame) => this.masks.outdate(frame));
    this.maskChanged.tell(this.store.state.frame);
  }

  async fetch() {
    const detail = await api.detail(this.id);
    return { detail, confidence: detail.count ? await api.confidence(this.id) : { objects: {} } };
  }

  /** @param {ServerEvent} event of this project */
  heard(event) {
    if (this.reloading) this.late.push(event);
    if (event.type === "mask") {
      this.track.put(event.mask);
      this.masks.told(event.mask.frame);
      this.trackChanged.tell();
    } else if (event.type === "masks_cleared") {
      this.track.clear(event);
      for (let n = event.first; n <= event.last; n++) this.masks.outdate(n);
      this.maskChanged.tell(this.store.state.frame);
    }
  }

  /** Goes to a frame, as near as there is one. @param {number} frame */
  show(frame) {
    const last = Math.max(0, this.project.count - 1);
    this.store.set({ frame: Math.min(last, Math.max(0, Math.round(frame))) });
  }

  /** The user goes somewhere: a propagation no longer takes the view along. @param {number} frame */
  seek(frame) {
    this.ahead = null;
    this.store.set({ playing: false, follow: this.store.active.length === 0 });
    this.show(frame);
  }

  /**
   * A propagation has come to a frame: shows it as soon as its picture and its mask are here. Of those that it comes to
   * meanwhile the last one is next.
   * @param {number} frame
   */
  async follow(frame) {
    this.ahead = frame;
    if (this.following) return;
    this.following = true;
    while (this.ahead !== null) {
      /** @type {number} */
      const next = this.ahead;
      await Promise.allSettled([this.frames.load(next, "display"), this.masks.want(next)]);
      if (this.ahead === null) break; // the user went elsewhere
      if (this.ahead === next) this.ahead = null;
      const { follow, playing } = this.store.state;
      if (follow && !playing && !this.edits.busy && !this.ended.signal.aborted) this.show(next);
    }
    this.following = false;
  }

  /** The mask of a frame, to begin a change from. @param {number} frame */
  load(frame) {
    return this.masks.load(frame, this.project.width, this.project.height);
  }

  /**
   * Asks again, as often as it takes, where the server does not answer: what the user made is not lost.
   * @template T @param {() => Promise<T>} request that may be made twice @returns {Promise<T>}
   */
  async insist(request) {
    for (let told = false; ; told = true) {
      try {
        return await request();
      } catch (error) {
        if (!(error instanceof ApiError) || error.status) throw error;
      }
      if (!told) note("The server does not answer. What you drew is kept here and sent when it is back.");
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  /** Is one of these objects on the frame, as far as is known here? @param {number} frame @param {number[]} [objects] */
  marked(frame, objects = this.project.objects.map((one) => one.id)) {
    const map = this.masks.get(frame);
    return this.track.has(frame) && (map === undefined || hasAny(map, objects));
  }

  /** What painting with an id makes of each id. @param {number} id 0 erases @param {number} object the selected one */
  table(id, object) {
    const objects = this.project.objects.map((one) => one.id);
    return paintTable(id, object, this.store.state.protect, objects);
  }

  close() {
    this.ended.abort();
    this.frames.close();
    this.masks.close();
  }
}
