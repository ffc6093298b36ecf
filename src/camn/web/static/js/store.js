/** What the page shows, in one place. Those who watch some of it are told once, after all changes of a turn. */

/** @import {Job, Project, Propagate, Server} from "./types.js" */

/**
 * @typedef {"overlay" | "outline" | "cutout" | "frame"} View
 *
 * @typedef {object} State
 * @property {boolean} connected
 * @property {boolean} locked does the server ask for another token than this tab has?
 * @property {Server | null} server
 * @property {Project[]} projects newest first
 * @property {Job[]} jobs the newest last
 * @property {string | null} projectId the open one
 * @property {number} frame
 * @property {boolean} playing
 * @property {number | null} object id of the selected one
 * @property {string} tool
 * @property {boolean} away clicks take away
 * @property {boolean} fresh the next click begins a new object
 * @property {string | null} reading which of several answers to a click is shown
 * @property {number} radius of the brush, in pixels of the frame
 * @property {boolean} protect leave the other objects' pixels alone
 * @property {boolean} follow show the frame that a propagation has just done
 * @property {View} view
 * @property {number} opacity 0..1
 * @property {ReadonlySet<number>} hidden objects that are not shown
 * @property {string | null} sending id of the project to which this tab sends its video
 * @property {boolean} slow is it too slow here to show what a click would take?
 * @property {string | null} busy what the server is at, for a short time
 * @property {Propagate["until"]} until
 */

/** @type {State} */
const INITIAL = {
  connected: true,
  locked: false,
  server: null,
  projects: [],
  jobs: [],
  projectId: null,
  frame: 0,
  playing: false,
  object: null,
  tool: "click",
  away: false,
  fresh: false,
  reading: null,
  radius: 12,
  protect: false,
  follow: true,
  view: "overlay",
  opacity: 0.5,
  hidden: new Set(),
  sending: null,
  slow: false,
  busy: null,
  until: "end",
};

export class Store {
  constructor() {
    /** @type {Readonly<State>} */
    this.state = INITIAL;
    /** @type {Set<{keys: (keyof State)[], tell: () => void}>} */
    this.watchers = new Set();
    /** @type {Set<keyof State>} */
    this.changed = new Set();
  }

  /** @param {Partial<State>} patch */
  set(patch) {
    const keys = /** @type {(keyof State)[]} */ (Object.keys(patch)).filter((key) => patch[key] !== this.state[key]);
    if (!keys.length) return;
    if (!this.changed.size) queueMicrotask(() => this.tell());
    keys.forEach((key) => this.changed.add(key));
    this.state = { ...this.state, ...patch };
  }

  /**
   * @param {(keyof State)[]} keys
   * @param {() => void} tell also called at once
   * @param {AbortSignal} [signal] ends it
   */
  watch(keys, tell, signal) {
    const watcher = { keys, tell };
    this.watchers.add(watcher);
    signal?.addEventListener("abort", () => this.watchers.delete(watcher));
    tell();
  }

  tell() {
    const changed = this.changed;
    this.changed = new Set();
    for (const watcher of [...this.watchers]) {
      if (this.watchers.has(watcher) && watcher.keys.some((key) => changed.has(key))) watcher.tell();
    }
  }

  /** The open project. @returns {Project | null} */
  get project() {
    return this.state.projects.find((project) => project.id === this.state.projectId) ?? null;
  }

  /** Jobs of the open project that wait or run. */
  get active() {
    const { jobs, projectId } = this.state;
    return jobs.filter((job) => job.project === projectId && (job.state === "queued" || job.state === "running"));
  }

  /** Does a propagation of the open project wait or run? */
  get propagating() {
    return this.active.some((job) => job.kind === "propagate");
  }

  /** @param {Project} project */
  putProject(project) {
    const known = this.state.projects.some((other) => other.id === project.id);
    const { projects } = this.state;
    this.set({
      projects: known ? projects.map((other) => (other.id === project.id ? project : other)) : [project, ...projects],
    });
  }

  /** The answer to a request: what an event has told of it meanwhile is newer. @param {Project} project */
  addProject(project) {
    if (!this.state.projects.some((other) => other.id === project.id)) this.putProject(project);
  }

  /** The same. @param {Job} job */
  addJob(job) {
    if (!this.state.jobs.some((other) => other.id === job.id)) this.putJob(job);
  }

  /** @param {Job} job */
  putJob(job) {
    const known = this.state.jobs.some((other) => other.id === job.id);
    const { jobs } = this.state;
    this.set({ jobs: known ? jobs.map((other) => (other.id === job.id ? job : other)) : [...jobs, job] });
  }
}
