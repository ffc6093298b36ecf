/** Puts the parts together: which project is open, what the server tells, which tool is in hand. */

import { api } from "./api.js";
import { find, say } from "./dom.js";
import { Exports } from "./exports.js";
import { attempt, note, warn } from "./messages.js";
import { loadMask, maskChooser, maskKind } from "./maskfile.js";
import { showObjects } from "./objects.js";
import { Player } from "./player.js";
import { Propagation } from "./propagate.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { listenToPointer } from "./pointer.js";
import { Timeline } from "./timeline.js";
import { showToolbar, TOOLS } from "./toolbar.js";
import { showTransport } from "./transport.js";
import { showViews } from "./views.js";
import { remember, remembered } from "./visit.js";

/** @import {Store} from "./store.js" */
/** @import {ServerEvent} from "./types.js" */

export class App {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Session | null} */
    this.session = null;
    /** @type {Promise<unknown>} */
    this.turns = Promise.resolve();
    const session = () => this.session;
    this.stage = new Stage(find("#stage", HTMLCanvasElement), store);
    this.player = new Player(store, session);
    this.timeline = new Timeline(store, session);
    this.propagation = new Propagation(store, session);
    this.exports = new Exports(store, session);
    this.chooseMask = maskChooser(store, (file) => this.loadMask(file));
    showToolbar(store, this.chooseMask);
    showObjects(store, session);
    showTransport(store, this.player, session);
    this.historyChanged = showViews(store, {
      undo: () => this.undo(),
      redo: () => this.redo(),
      fit: () => this.fit(),
      history: () => this.session?.history,
    });
    listenToPointer(this.stage);
    store.watch(["tool"], () => this.takeTool());
    store.watch(["projects"], () => this.tellNotes());
    store.watch(["frame", "projectId"], () => this.moved());
  }

  /** Opening takes a while: two at once would make two sessions. @param {() => unknown} work */
  inTurn(work) {
    return (this.turns = this.turns.catch(() => {}).then(work));
  }

  /** @param {string} id @param {number} frame */
  open(id, frame) {
    return this.inTurn(() => this.enter(id, frame));
  }

  leave() {
    return this.inTurn(() => this.close());
  }

  /** @param {string} id @param {number} frame */
  async enter(id, frame) {
    if (this.session?.id === id) return this.session.seek(frame); // a frame that is on its way must not come after
    this.close();
    const detail = await api.detail(id);
    this.store.putProject(detail);
    const session = new Session(this.store, id);
    this.session = session;
    this.store.set({
      projectId: id,
      frame: 0,
      object: detail.objects[0]?.id ?? null,
      hidden: new Set(),
      playing: false,
    });
    session.show(frame);
    session.history.changed.watch(this.historyChanged);
    session.history.changed.watch(() => remember(id, session.history.done.length));
    session.trackChanged.watch(() => this.trackChanged());
    session.savedChanged.watch((saved) => this.showSaved(saved));
    await session.reload();
    this.historyChanged();
    this.showSaved(true);
    this.takeTool();
    this.stage.open(session);
    this.timeline.lay();
    this.propagation.show();
    this.tellNotes();
    this.tellLost(id);
  }

  /** What is to be known of the video, once, and as soon as it is: reading may take a while. */
  tellNotes() {
    const { session } = this;
    for (const text of session?.project?.notes ?? []) {
      if (session?.told.has(text)) continue;
      session?.told.add(text);
      warn(text);
    }
  }

  /** Undo is of a visit: after a reload it is said that it is gone. @param {string} id */
  tellLost(id) {
    if (remembered(id)) note("All that you did is kept. What was done before the page was opened anew, Z cannot undo.");
    remember(id, 0);
  }

  close() {
    this.stage.tool?.putAway();
    this.session?.close();
    this.session = null;
    this.store.set({ projectId: null, playing: false });
    this.stage.tool = null;
    this.stage.open(null);
  }

  /** @param {boolean} saved */
  showSaved(saved) {
    say(find("#saved", HTMLElement), saved ? "Saved" : "Saving…");
    this.stage.canvas.dataset.saved = String(saved);
  }

  trackChanged() {
    this.timeline.draw();
    this.timeline.place();
    this.propagation.show();
  }

  /** @param {ServerEvent} event */
  heard(event) {
    if (event.type === "project") this.store.putProject(event.project);
    else if (event.type === "job") this.heardJob(event.job);
    else if (event.type === "project_deleted") this.deleted(event.id);
    else if ("project" in event && event.project === this.session?.id) this.session.heard(event);
  }

  /** @param {import("./types.js").Job} job */
  heardJob(job) {
    const before = this.store.state.jobs.find((other) => other.id === job.id);
    this.store.putJob(job);
    if (before && ["queued", "running"].includes(before.state)) this.propagation.ended(job);
    const { follow, playing, projectId } = this.store.state;
    const shown =
      job.kind === "propagate" && job.project === projectId && job.state === "running" && job.frame !== null;
    if (shown && follow && !playing && !this.session?.edits.busy) this.session?.follow(Number(job.frame));
  }

  /** @param {string} id */
  deleted(id) {
    if (this.session?.id === id) {
      this.close();
      location.hash = "#/";
      note("This project was deleted.");
    }
    this.store.set({ projects: this.store.state.projects.filter((project) => project.id !== id) });
  }

  takeTool() {
    this.stage.tool?.putAway();
    const kind = TOOLS.find((tool) => tool.id === this.store.state.tool);
    const { session, store } = this;
    this.stage.tool = session && kind ? kind.make({ session, store, redraw: this.stage.redraw }) : null;
    this.stage.canvas.dataset.tool = kind?.id ?? "";
    this.stage.redraw();
  }

  /** What was begun on another frame is dropped; the address tells where one is. */
  moved() {
    if (!this.session) return;
    this.stage.tool?.cancel();
    const { frame, playing } = this.store.state;
    this.propagation.show();
    if (!playing) history.replaceState(null, "", `#/p/${this.session.id}/${frame + 1}`);
  }

  undo() {
    return this.rewind("undo", "Undone");
  }

  redo() {
    return this.rewind("redo", "Redone");
  }

  /** @param {"undo" | "redo"} way @param {string} word */
  rewind(way, word) {
    return attempt(async () => {
      const { session } = this;
      if (!session || this.stage.drawing) return;
      await session.act(async () => {
        await session.settled; // what was done last may still be waiting for something
        const action = await session.history[way]();
        if (action) say(find("#spoken", HTMLElement), `${word}: ${action.label}`);
      });
    });
  }

  clearFrame() {
    const { session } = this;
    if (session?.track.given.has(this.store.state.frame)) attempt(() => session.act(() => session.edits.clear()));
  }

  eraseObject() {
    const { session } = this;
    const { object } = this.store.state;
    if (session && object) attempt(() => session.act(() => session.edits.erase(object)));
  }

  /** Beside the open video: a mask file. @param {File[]} files */
  dropped(files) {
    const [file, ...more] = files;
    if (!more.length && maskKind(this.store, file)) this.loadMask(file);
    else note("Here one mask file at a time can be dropped. To open a video, go to all projects first (camn, top left).");
  }

  /** @param {File} file */
  loadMask(file) {
    const { session } = this;
    if (session) attempt(() => session.act(() => loadMask(session, file)));
  }

  fit() {
    this.stage.viewport.fit();
    this.stage.refresh();
  }

  /** @param {number} factor */
  zoom(factor) {
    const { width, height } = this.stage.viewport.canvas;
    this.stage.viewport.zoom([width / 2, height / 2], factor);
    this.stage.refresh();
  }
}
