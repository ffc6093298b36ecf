/** Starts the page. */

import { api, ApiError } from "./api.js";
import { App } from "./app.js";
import { button, el, find, say } from "./dom.js";
import { showHelp } from "./help.js";
import { renameProject, showHome } from "./home.js";
import { listenToKeys } from "./keys.js";
import { attempt, fail } from "./messages.js";
import { EventSocket } from "./socket.js";
import { Store } from "./store.js";

/** @import {ServerEvent} from "./types.js" */

const store = new Store();
const app = new App(store);

/** @type {Set<ServerEvent[]>} events that come while lists are fetched: what these say may be older */
const meanwhile = new Set();
let owed = false; // lists that could not be fetched

/** Fetches the lists anew, and the open project. */
async function reload() {
  owed = true;
  /** @type {ServerEvent[]} */
  const later = [];
  meanwhile.add(later);
  const [server, projects, jobs] = await Promise.all([api.server(), api.projects(), api.jobs()]).finally(() =>
    meanwhile.delete(later),
  );
  store.set({ server, projects, jobs: jobs.reverse() }); // the newest last
  for (const event of later) app.heard(event);
  owed = false;
  if (app.session && !projects.some((project) => project.id === app.session?.id)) app.deleted(app.session.id);
  await app.session?.reload();
}

/** #/ or #/p/PROJECT/FRAME, frames from 1. */
async function route() {
  const [, id, frame] = /^#\/p\/([^/]+)(?:\/(\d+))?$/.exec(location.hash) ?? [];
  try {
    if (id) await app.open(id, Number(frame ?? 1) - 1);
    else await app.leave();
  } catch (error) {
    fail(error);
    app.close();
    history.replaceState(null, "", "#/");
  }
  showPage();
}

function showPage() {
  const editing = store.state.projectId !== null;
  find("#home", HTMLElement).hidden = editing;
  find("#editor", HTMLElement).hidden = find("#actions", HTMLElement).hidden = !editing;
  if (editing) find("#stage", HTMLElement).focus({ preventScroll: true });
}

/** @param {ServerEvent} event */
function heard(event) {
  if (event.type === "hello") {
    if (event.reload || owed) attempt(reload);
    return;
  }
  meanwhile.forEach((later) => later.push(event));
  app.heard(event);
}

function showTitle() {
  const box = find("#title", HTMLElement);
  const name = button(
    "pencil",
    "Rename the project",
    () => attempt(() => store.project && renameProject(store.project, store)),
    { class: "quiet" },
  );
  const words = el("span", { class: "project" });
  const about = el("span", { class: "soft about" });
  box.append(words, name, about, el("span", { id: "saved", class: "soft" }));
  store.watch(["projects", "projectId"], () => {
    const { project } = store;
    box.hidden = !project;
    document.title = project ? `${project.name} · camn` : "camn";
    say(words, project?.name ?? "");
    if (project)
      say(about, project.width ? `${project.width} × ${project.height} · ${Number(project.fps.toFixed(2))} fps` : "");
    showEmpty();
  });
}

/** What the stage says while there is nothing to be seen. */
function showEmpty() {
  const { project } = store;
  const empty = find("#empty", HTMLElement);
  empty.hidden = !project || project.count > 0;
  if (!project) return;
  say(empty, project.state === "failed" ? (project.error ?? "This could not be read.") : "Reading the first frames…");
  const decoding =
    project.state === "decoding" && project.total
      ? `Reading: ${Math.round((100 * project.count) / project.total)} %`
      : "";
  say(find("#busy", HTMLElement), store.state.busy ?? decoding);
  find("#busy", HTMLElement).hidden = !store.state.busy && !decoding;
}

const SILENT = `The server does not answer. If it was stopped, start “camn serve” again and open the address that it prints; with the same --port and --token this page goes on by itself.`;
const LOCKED = `The server was started again and has another token now. Open the whole address that it printed, in this browser: then this page goes on by itself.`;

function showConnection() {
  const bar = find("#connection", HTMLElement);
  store.watch(["connected", "locked"], () => {
    const { connected, locked } = store.state;
    bar.hidden = connected;
    say(bar, connected ? "" : locked ? LOCKED : SILENT);
  });
}

/** A socket does not say why it was refused. @param {boolean} connected */
async function connection(connected) {
  store.set({ connected });
  if (connected) return store.set({ locked: false });
  const error = await api.server().catch((/** @type {unknown} */ failed) => failed);
  store.set({ locked: !store.state.connected && error instanceof ApiError && error.code === "unauthorized" });
}

function toggleTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("camn-theme", root.dataset.theme);
  } catch {
    // no storage: for this visit only
  }
  showTheme();
}

/** Canvases take their colours anew. */
function showTheme() {
  app.stage.resize();
  app.timeline.draw();
}

/** After a click with the mouse the keys belong to the stage again. */
function returnFocus() {
  const editor = find("#editor", HTMLElement);
  const back = (/** @type {Element} */ target) => {
    const typed = target.closest("input:not([type=range], [type=checkbox]), select, dialog");
    if (
      !editor.hidden &&
      !typed &&
      target.closest("#editor, #top") &&
      !document.querySelector("dialog[open], .editing")
    ) {
      find("#stage", HTMLElement).focus({ preventScroll: true });
    }
  };
  document.addEventListener("click", (event) => event.detail > 0 && back(/** @type {Element} */ (event.target)));
}

async function start() {
  find("#general", HTMLElement).append(
    button("theme", "Light or dark", toggleTheme, { class: "quiet" }),
    button("help", "Help", showHelp, { key: "?", class: "quiet" }),
  );
  showTitle();
  showConnection();
  store.watch(["busy"], showEmpty);
  showHome(
    store,
    (id) => (location.hash = `#/p/${id}`),
    (files) => app.dropped(files),
  );
  listenToKeys(app);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme); // after theme.js has heard of it
  returnFocus();
  addEventListener("beforeunload", (event) => {
    if (store.state.sending || (app.session && !app.session.saved)) event.preventDefault(); // the browser asks
  });
  addEventListener("unhandledrejection", (event) => fail(event.reason));
  const server = await api.server();
  new EventSocket(server.run, server.seq, heard, connection);
  await reload();
  store.watch(["projectId"], showPage);
  addEventListener("hashchange", route);
  await route();
}

attempt(start);
