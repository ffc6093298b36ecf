/** Files of the result, one click each: made by the server, then saved by the browser. */

import { api } from "./api.js";
import { button, el, find, say } from "./dom.js";
import { duration } from "./format.js";
import { icon } from "./icons.js";
import { attempt, fail, note } from "./messages.js";

/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {ExportKind, Job} from "./types.js" */
/**
 * @typedef {object} Row
 * @property {ExportKind} kind
 * @property {HTMLButtonElement} main
 * @property {HTMLElement} state
 * @property {HTMLElement} bar
 * @property {HTMLButtonElement} cancel
 * @property {HTMLAnchorElement} link
 */

/** @type {[ExportKind, string, string][]} */
const KINDS = [
  ["masks", "Masks", "palette PNG, zip"],
  ["coco", "COCO", "RLE, JSON"],
  ["overlay", "Overlay", "MP4"],
  ["prores", "Cut-out", "ProRes 4444, MOV"],
  ["vp9", "Cut-out", "VP9, WebM"],
];

export class Exports {
  /** @param {Store} store @param {() => Session | null} session */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    /** @type {Set<string>} jobs that this tab asked for and has not saved yet */
    this.mine = new Set();
    this.rows = KINDS.map(([kind, name, format]) => this.row(kind, name, format));
    const list = el(
      "ul",
      { class: "exports" },
      ...this.rows.map(({ main, state, bar, cancel, link }) => el("li", {}, bar, main, state, cancel, link)),
    );
    find("#exports", HTMLElement).append(
      el("div", { class: "heading" }, el("h2", { id: "exports-title" }, "Export")),
      list,
    );
    store.watch(["jobs", "projectId"], () => this.show());
  }

  /** @param {ExportKind} kind @param {string} name @param {string} format @returns {Row} */
  row(kind, name, format) {
    const main = el(
      "button",
      { type: "button", class: "button quiet export", id: `export-${kind}`, onclick: () => this.start(kind) },
      icon("save"),
      el("span", {}, name, " ", el("small", { class: "soft" }, format)),
    );
    const cancel = button("close", `Cancel the export: ${name}, ${format}`, () => this.stop(kind), {
      class: "quiet small",
    });
    const link = el(
      "a",
      {
        class: "button quiet small",
        title: "Save the last one again",
        "aria-label": `Save the last export again: ${name}, ${format}`,
        download: true,
      },
      icon("done"),
    );
    return {
      kind,
      main,
      cancel,
      link,
      state: el("span", { class: "soft numbers", role: "status" }),
      bar: el("span", { class: "bar", "aria-hidden": "true" }),
    };
  }

  /** @param {ExportKind} kind */
  start(kind) {
    return attempt(async () => {
      const session = this.session();
      if (!session || this.active(kind)) return;
      await session.masks.queue;
      const wish = kind === "overlay" ? { kind, opacity: this.store.state.opacity } : { kind };
      const job = await api.export(session.id, wish);
      this.mine.add(job.id);
      this.store.addJob(job);
      this.show(); // it may have ended before the answer came
    });
  }

  /** @param {ExportKind} kind */
  stop(kind) {
    return attempt(async () => {
      const job = this.active(kind);
      if (job) await api.cancel(job.id);
    });
  }

  /** @param {ExportKind} kind @returns {Job[]} of the open project, oldest first */
  of(kind) {
    const { jobs, projectId } = this.store.state;
    return jobs.filter(
      (job) =>
        job.kind === "export" &&
        job.project === projectId &&
        job.asked &&
        "kind" in job.asked &&
        job.asked.kind === kind,
    );
  }

  /** @param {ExportKind} kind @returns {Job | undefined} */
  active(kind) {
    return this.of(kind).find((job) => job.state === "queued" || job.state === "running");
  }

  show() {
    for (const row of this.rows) this.showRow(row);
    const { jobs } = this.store.state;
    for (const job of jobs.filter((one) => this.mine.has(one.id))) this.finish(job);
    for (const id of this.mine) {
      if (jobs.some((job) => job.id === id)) continue;
      this.mine.delete(id);
      fail(new Error("The server was stopped before the export was done; export again."));
    }
  }

  /** @param {Row} row */
  showRow({ kind, main, state, bar, cancel, link }) {
    const job = this.active(kind);
    const file = this.of(kind).findLast((one) => one.state === "done" && one.file)?.file;
    const part = job?.total ? job.done / job.total : 0;
    bar.style.width = `${100 * part}%`;
    say(
      state,
      !job
        ? ""
        : job.state === "queued"
          ? "waiting"
          : `${Math.round(100 * part)} %${job.left ? `, ${duration(job.left)}` : ""}`,
    );
    main.setAttribute("aria-disabled", String(job !== undefined));
    cancel.hidden = job === undefined;
    link.hidden = job !== undefined || !file;
    if (file) link.href = file;
  }

  /** Once, in the tab that asked for it. @param {Job} job */
  finish(job) {
    if (job.state === "queued" || job.state === "running") return;
    this.mine.delete(job.id);
    if (job.state === "failed") fail(new Error(`The export failed. ${job.error ?? ""}`));
    if (job.state !== "done" || !job.file) return;
    const link = el("a", { href: job.file, download: job.file_name ?? true });
    document.body.append(link);
    link.click();
    link.remove();
    note(`Saved as ${job.file_name ?? "a file"}.`);
  }
}
