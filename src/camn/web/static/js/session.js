/** The open project: its frames, masks, track, and what was done to it. */

import { api, ApiError } from "./api.js";
import { Edits } from "./edits.js";
import { Frames } from "./frames.js";
import { History } from "./history.js";
import { hasAny, paintTable } from "./ids.js";
import { Masks } from "./masks.js";
import { note } from "./messages.js";
import { Signal } from "./signal.js";
import { Track } from "./track.js";

/** @import {Rect} from "./ids.js" */
/** @import {Store} from "./store.js" */
/** @import {Obj, Project, ServerEvent} from "./types.js" */
/** @typedef {{beside: number | null, made: Promise<Obj>}} Adding beside: the object that was selected meanwhile */

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
    /** @type {Adding | null} the newest object, while it is being made */
    this.adding = null;
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
    this.maskChanged.watch(() => {
      this.trackChanged.tell();
      this.savedChanged.tell(this.saved);
    });
    this.ended = new AbortController();
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
    return Promise.allSettled([this.adding?.made, this.edits.turn]);
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

  /** Is an object on the frame, as far as is known here? @param {number} frame */
  marked(frame) {
    const map = this.masks.get(frame);
    const objects = this.project.objects.map((one) => one.id);
    return this.track.has(frame) && (map === undefined || hasAny(map, objects));
  }

  /** What painting with an id makes of each id. @param {number} id 0 erases @param {number} object the selected one */
  table(id, object) {
    const objects = this.project.objects.map((one) => one.id);
    return paintTable(id, object, this.store.state.protect, objects);
  }

  /**
   * The selected object: of one that is being made, that; a new one if there is none.
   * @returns {Promise<Obj>}
   */
  async needObject() {
    const { object } = this.store.state;
    if (this.adding && this.adding.beside === object) return this.adding.made;
    const known = this.object ?? this.project.objects[0];
    if (!known) return this.addObject();
    if (object !== null && known.id !== object) note(`The object that was selected is gone: this is ${known.name} now.`);
    this.store.set({ object: known.id });
    return known;
  }

  /** @returns {Promise<Obj>} */
  addObject() {
    const adding = { beside: this.store.state.object, made: this.makeObject() };
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
    if (this.store.state.object !== adding.beside) return;
    if (this.adding && this.adding !== adding && this.adding.beside === adding.beside) this.adding.beside = id;
    this.store.set({ object: id });
  }

  /** @returns {Promise<Obj>} */
  async makeObject() {
    const object = await api.addObject(this.id, {});
    this.known(object.id, object);
    this.history.push({
      label: `Add ${object.name}`,
      undo: () => this.dropObject(object),
      redo: () => this.restoreObject(object),
    });
    return object;
  }

  /** @param {Obj} from @param {Obj} to */
  async changeObject(from, to) {
    await api.putObject(this.id, to);
    this.history.push({
      label: `Change ${from.name}`,
      undo: () => api.putObject(this.id, from),
      redo: () => api.putObject(this.id, to),
    });
  }

  /** @param {Obj} object */
  async removeObject(object) {
    await this.dropObject(object);
    this.history.push({
      label: `Delete ${object.name}`,
      undo: () => this.restoreObject(object),
      redo: () => this.dropObject(object),
    });
  }

  /** Its neighbour is selected. @param {Obj} object */
  async dropObject(object) {
    const at = this.project.objects.findIndex((one) => one.id === object.id);
    await api.removeObject(this.id, object.id);
    this.known(object.id, null);
    const { objects } = this.project;
    if (this.store.state.object === object.id) this.store.set({ object: (objects[at] ?? objects.at(-1))?.id ?? null });
  }

  /** @param {Obj} object */
  async restoreObject(object) {
    await api.putObject(this.id, object);
    this.known(object.id, object);
    this.store.set({ object: object.id });
  }

  /** What the event will tell, too: an object that there is, or is no more. @param {number} id @param {Obj | null} now */
  known(id, now) {
    const objects = this.project.objects.filter((one) => one.id !== id);
    if (now) objects.push(now);
    this.store.putProject({ ...this.project, objects: objects.sort((a, b) => a.id - b.id) });
  }

  close() {
    this.ended.abort();
    this.frames.close();
    this.masks.close();
  }
}
