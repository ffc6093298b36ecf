/** Files of the result, one click each: made by the server, then saved by the browser. */

import { api } from "./api.js";
import { choose } from "./dialog.js";
import { button, el, find, say } from "./dom.js";
import { ExportChoice } from "./exportchoice.js";
import { duration } from "./format.js";
import { icon } from "./icons.js";
import { attempt, fail, note, warn } from "./messages.js";

/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {ExportOffer, Job} from "./types.js" */
/**
 * @typedef {object} Row
 * @property {ExportOffer} offer
 * @property {HTMLButtonElement} main
 * @property {HTMLElement} state
 * @property {HTMLElement} bar
 * @property {HTMLButtonElement} cancel
 * @property {HTMLAnchorElement} link
 */

const FIRST = 5; // so many kinds are seen at once, the others under "More kinds"
const NO_MASK = "There is no mask to export yet. Mark an object on a frame, and propagate it.";

export class Exports {
  /** @param {Store} store @param {() => Session | null} session */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    /** @type {Set<string>} jobs that this tab asked for and has not saved yet */
    this.mine = new Set();
    /** @type {Row[]} */
    this.rows = [];
    this.offered = "";
    this.choice = new ExportChoice(session);
    this.list = el("ul", { class: "exports" });
    this.others = el("ul", { class: "exports" });
    this.more = el("details", {}, el("summary", {}, "More kinds"), this.others);
    this.more.addEventListener("toggle", () => this.more.open && this.more.scrollIntoView({ block: "start" }));
    find("#exports", HTMLElement).append(
      el("div", { class: "heading" }, el("h2", { id: "exports-title" }, "Export"), this.choice.button),
      this.choice.summary,
      this.list,
      this.more,
    );
    store.watch(["server"], () => this.lay());
    store.watch(["jobs", "projectId"], () => this.show());
    store.watch(["projects", "projectId"], () => this.choice.show());
  }

  /** A row for each kind that the server offers. */
  lay() {
    const offers = this.store.state.server?.exports ?? [];
    const offered = JSON.stringify(offers);
    if (offered === this.offered) return;
    this.offered = offered;
    this.rows = offers.map((offer) => this.row(offer));
    const items = this.rows.map(({ main, state, bar, cancel, link }) => el("li", {}, bar, main, state, cancel, link));
    this.list.replaceChildren(...items.slice(0, FIRST));
    this.others.replaceChildren(...items.slice(FIRST));
    this.more.hidden = items.length <= FIRST;
    this.show();
  }

  /** @param {ExportOffer} offer @returns {Row} */
  row(offer) {
    const { kind, title, form } = offer;
    const main = el(
      "button",
      { type: "button", class: "button quiet export", id: `export-${kind}`, onclick: () => this.start(offer) },
      icon("save"),
      el("span", {}, title, " ", el("small", { class: "soft" }, form)),
    );
    const cancel = button("close", `Cancel the export: ${title}, ${form}`, () => this.stop(kind), {
      class: "quiet small",
    });
    const link = el(
      "a",
      {
        class: "button quiet small",
        title: "Save the last one again",
        "aria-label": `Save the last export again: ${title}, ${form}`,
        download: true,
      },
      icon("done"),
    );
    return {
      offer,
      main,
      cancel,
      link,
      state: el("span", { class: "soft numbers", role: "status" }),
      bar: el("span", { class: "bar", "aria-hidden": "true" }),
    };
  }

  /** @param {ExportOffer} offer */
  start(offer) {
    const { kind, wishes } = offer;
    return attempt(async () => {
      const session = this.session();
      if (!session || this.active(kind)) return;
      await session.sent;
      const { given, predicted } = session.track;
      if (!given.size && !predicted.size) throw new Error(NO_MASK);
      const objects = await this.which(session);
      if (!objects) return;
      const { opacity } = this.store.state;
      const chosen = this.choice.wish(session, offer);
      const wish = { kind, ...(wishes.includes("opacity") && { opacity }), ...chosen, ...objects };
      const job = await api.export(session.id, wish);
      this.mine.add(job.id);
      this.store.addJob(job);
      this.show(); // it may have ended before the answer came
    });
  }

  /**
   * The objects that are meant, where that is not said: all, but where some are hidden the user is asked. Null: no
   * export after all.
   * @param {Session} session @returns {Promise<{objects?: number[]} | null>}
   */
  async which(session) {
    const { objects } = session.project;
    const { hidden } = this.store.state;
    if (this.choice.of(session).objects || !objects.some(({ id }) => hidden.has(id))) return {};
    const choices = objects.map(({ id, name }) => ({ value: id, name, chosen: !hidden.has(id) }));
    const chosen = await choose("Which objects?", "Some are hidden at present.", choices, "Export");
    return chosen && { objects: chosen };
  }

  /** @param {string} kind */
  stop(kind) {
    return attempt(async () => {
      const job = this.active(kind);
      if (job) await api.cancel(job.id);
    });
  }

  /** @param {string} kind @returns {Job[]} of the open project, oldest first */
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

  /** @param {string} kind @returns {Job | undefined} */
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
  showRow({ offer: { kind }, main, state, bar, cancel, link }) {
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
    job.notes.forEach((text) => warn(text));
  }
}
