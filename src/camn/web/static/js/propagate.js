/** From the shown frame through the video: start, watch, cancel, go on. */

import { api } from "./api.js";
import { confirm } from "./dialog.js";
import { button, el, find, say } from "./dom.js";
import { count, duration, speed } from "./format.js";
import { attempt, note } from "./messages.js";

/** @import {IconName} from "./icons.js" */
/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {Job, Propagate} from "./types.js" */

/** @type {[Propagate["direction"], string, IconName][]} */
const DIRECTIONS = [
  ["backward", "Backward", "backward"],
  ["both", "Both", "both"],
  ["forward", "Forward", "forward"],
];

/** Before the first frame. */
const STAGES = {
  loading: "Loading the network…",
  measuring: "Looking for the fastest way to run the network here…",
};

/** @param {Job} job */
const asked = (job) => /** @type {Propagate} */ (job.asked);

export class Propagation {
  /** @param {Store} store @param {() => Session | null} session */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    this.from = el("p", { class: "soft" });
    this.buttons = DIRECTIONS.map(([direction, name, icon]) =>
      button(icon, name, () => this.start(direction), { text: true, class: direction === "forward" ? "primary" : "" }),
    );
    this.idle = el(
      "div",
      { class: "stack" },
      this.from,
      el("div", { class: "row thirds" }, ...this.buttons),
      this.untilField(),
    );
    this.bar = el("progress", { max: 1, value: 0, "aria-label": "Propagated so far" });
    this.text = el("p", { class: "numbers" });
    this.cancel = button("close", "Cancel", () => this.stop(), { text: true });
    this.running = el(
      "div",
      { class: "stack" },
      this.bar,
      this.text,
      el("div", { class: "row" }, this.cancel, this.followField()),
    );
    this.old = el("div", { class: "notice", role: "status" });
    this.clear = button("trash", "Clear all predicted masks", () => attempt(() => this.clearAll()), {
      class: "quiet small",
    });
    find("#propagate", HTMLElement).append(
      el("div", { class: "heading" }, el("h2", { id: "propagate-title" }, "Propagate"), this.clear),
      this.idle,
      this.running,
      this.old,
    );
    store.watch(["jobs", "projectId", "frame", "projects"], () => this.show());
  }

  untilField() {
    const select = el(
      "select",
      { id: "until" },
      el("option", { value: "end" }, "to the end"),
      el("option", { value: "given" }, "to my next mask"),
    );
    select.addEventListener("change", () => this.store.set({ until: select.value === "given" ? "given" : "end" }));
    return el("div", { class: "inline" }, el("label", { for: "until" }, "How far"), select);
  }

  followField() {
    const input = el("input", { type: "checkbox", id: "follow" });
    input.addEventListener("change", () => this.store.set({ follow: input.checked }));
    this.store.watch(["follow"], () => (input.checked = this.store.state.follow));
    return el(
      "div",
      { class: "inline", title: "Show each frame as it is done" },
      input,
      el("label", { for: "follow" }, "Follow"),
    );
  }

  /** @returns {Job | undefined} the last one of this project */
  get last() {
    const { jobs, projectId } = this.store.state;
    return jobs.filter((job) => job.kind === "propagate" && job.project === projectId).at(-1);
  }

  get active() {
    return this.store.active.filter((job) => job.kind === "propagate");
  }

  /** The user may have looked elsewhere meanwhile. @param {Job} job that waited or ran until now */
  ended(job) {
    const session = this.session();
    if (job.kind !== "propagate" || job.state !== "done" || job.project !== session?.id) return;
    const { objects, count: frames } = session.project;
    const troubles = objects.reduce((sum, { id }) => sum + session.track.stretches(id, frames).length, 0);
    const look = troubles ? ` ${count(troubles, "stretch", "es")} to look at, doubtful or lost: D goes there.` : "";
    note(`Propagated: ${count(job.done, "frame")}.${look}`);
  }

  /** @param {Propagate["direction"]} direction */
  start(direction) {
    const { frame, until } = this.store.state;
    return this.ask({ frame, direction, until });
  }

  /** @param {Propagate} wish */
  ask(wish) {
    return attempt(async () => {
      const session = this.session();
      if (!session) return;
      this.store.set({ follow: true, playing: false });
      await session.sent; // what was painted is there before
      this.store.addJob(await api.propagate(session.id, wish));
    });
  }

  /** By a key. @param {Propagate["direction"]} direction */
  press(direction) {
    if (this.active.length) note("A propagation is at work. Wait for it, or cancel it first.");
    else this.start(direction);
  }

  stop() {
    return attempt(() => Promise.all(this.active.map((job) => api.cancel(job.id))));
  }

  async clearAll() {
    const session = this.session();
    const text = "Masks that you made or corrected stay. This cannot be undone.";
    if (!session || !(await confirm("Clear all predicted masks?", text, "Clear"))) return;
    await api.clearMasks(session.id, "predicted", 0, Math.max(0, session.project.count - 1));
  }

  show() {
    const session = this.session();
    if (!session?.project) return;
    const job = this.active[0];
    this.idle.hidden = job !== undefined;
    this.running.hidden = job === undefined;
    this.clear.disabled = !session.track.predicted.size || job !== undefined;
    if (job) this.showRunning(job);
    else this.showIdle(session);
  }

  /** @param {Job} job */
  showRunning(job) {
    this.old.hidden = true;
    this.bar.value = job.total ? job.done / job.total : 0;
    const rest = job.left === null ? "" : ` · ${duration(job.left)} left`;
    const { jobs } = this.store.state;
    const runs = jobs.some((one) => one.kind === "propagate" && one.state === "running"); // in another project
    const before = job.place - 1 + Number(runs);
    if (job.state === "queued") say(this.text, before > 0 ? `Waiting: ${count(before, "job")} before it` : "Starting…");
    else if (job.stage) say(this.text, STAGES[job.stage]);
    else say(this.text, `${job.done} of ${job.total}${job.rate ? ` · ${speed(job.rate)}` : ""}${rest}`);
  }

  /** @param {Session} session */
  showIdle(session) {
    const { frame } = this.store.state;
    const has = session.marked(frame);
    const ready = session.project.state === "ready";
    const why = !ready
      ? session.project.error ?? "The video is still being read."
      : has
        ? `Starts from the mask of frame ${frame + 1}.`
        : "Mark the objects on this frame first, or go to one with a mask.";
    say(this.from, why);
    const last = session.project.count - 1;
    this.buttons.forEach((one, i) => {
      const end = (DIRECTIONS[i][0] === "forward" && frame >= last) || (DIRECTIONS[i][0] === "backward" && frame <= 0);
      one.disabled = !has || !ready || end;
    });
    this.showOld(this.last);
  }

  /** A job that did not reach its end: why, and a way to go on. @param {Job | undefined} job */
  showOld(job) {
    const short = job && ["interrupted", "failed", "cancelled"].includes(job.state);
    this.old.hidden = !short;
    if (!short) return;
    const at = job.frame === null ? "" : ` at frame ${job.frame + 1}`;
    const words = {
      interrupted: `Interrupted${at}: the server was stopped.`,
      failed: job.error ?? "It failed.",
      cancelled: `Cancelled${at}. What was done stays.`,
    };
    const text = words[/** @type {keyof typeof words} */ (job.state)];
    const word = job.frame === null ? "Start again" : "Continue";
    const wanted = (job.frame !== null || job.state !== "cancelled") && this.session()?.track.has(asked(job).frame);
    if (this.old.dataset.text === job.id + text + wanted) return;
    this.old.dataset.text = job.id + text + wanted;
    this.old.className = `notice ${job.state}`;
    this.old.replaceChildren(
      el("p", {}, text),
      wanted ? button("play", word, () => this.resume(job), { text: true, class: "small" }) : "",
    );
  }

  /** @param {Job} job */
  resume(job) {
    this.store.set({ until: asked(job).until });
    return this.ask({ ...asked(job), reached: job.frame });
  }
}
