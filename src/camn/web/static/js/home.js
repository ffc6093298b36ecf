/** The first page: where a video is dropped, and the projects there are. */

import { api } from "./api.js";
import { askName, confirm } from "./dialog.js";
import { button, el, find, say } from "./dom.js";
import { count, duration } from "./format.js";
import { icon } from "./icons.js";
import { attempt } from "./messages.js";
import { chosenFolder, dropped, sourceOf, Upload } from "./upload.js";

/** @import {Store} from "./store.js" */
/** @import {Project} from "./types.js" */
/** @import {Source} from "./upload.js" */

/**
 * @param {Store} store @param {(id: string) => void} open
 * @param {(files: File[]) => void} beside takes what is dropped while a project is open
 */
export function showHome(store, open, beside) {
  const drop = dropZone(store, open);
  listenToDrops((source) => drop(source), beside);
  const list = find("#projects", HTMLElement);
  let shown = "";
  store.watch(["projects", "projectId", "sending"], () => {
    if (store.state.projectId) return;
    const key = JSON.stringify([
      store.state.sending,
      ...store.state.projects.map(({ id, name, state, count, total }) => [id, name, state, count, total]),
    ]);
    if (key === shown) return;
    shown = key;
    const focused = document.activeElement?.id;
    const { projects } = store.state;
    list.replaceChildren(...projects.map((project) => card(project, store, open)));
    if (!projects.length)
      list.append(el("li", { class: "none" }, "None yet. What you open is kept here until you delete it."));
    if (focused) document.getElementById(focused)?.focus();
  });
}

/** @param {(source: Promise<Source>) => void} take @param {(files: File[]) => void} beside */
function listenToDrops(take, beside) {
  const zone = find("#drop", HTMLElement);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? zone.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (!event.dataTransfer?.files.length) return;
    if (find("#home", HTMLElement).hidden) beside([...event.dataTransfer.files]);
    else take(dropped(event.dataTransfer));
  });
}

/**
 * @param {string} id @param {string} label @param {{[name: string]: string | boolean}} props
 * @param {(files: File[]) => void} take
 */
function chooser(id, label, props, take) {
  const input = el("input", { type: "file", id, class: "unseen", ...props });
  input.addEventListener("change", () => {
    if (input.files?.length) take([...input.files]);
    input.value = "";
  });
  return [
    input,
    el(
      "label",
      { for: id, class: `button ${id === "choose-files" ? "primary" : ""}` },
      icon(id === "choose-files" ? "film" : "folder"),
      label,
    ),
  ];
}

/** @param {Store} store @param {(id: string) => void} open @returns {(source: Promise<Source>) => void} */
function dropZone(store, open) {
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Sent so far" });
  const text = el("p", {});
  const cancel = button("close", "Cancel", () => running?.cancel(), { text: true });
  const sending = el("div", { class: "sending", role: "status", hidden: true }, text, bar, cancel);
  /** @type {Upload | null} */
  let running = null;

  /** @param {Source} source */
  const send = async (source) => {
    if (running) throw new Error("Something is being sent already. Wait for it or cancel it.");
    running = new Upload(source, store.state.server?.limits);
    try {
      sending.hidden = false;
      say(text, `Sending ${running.name}…`);
      const begun = (/** @type {string} */ id) => store.set({ sending: id });
      const project = await running.run(() => (bar.value = running?.part ?? 0), begun);
      store.addProject(project);
      open(project.id);
    } finally {
      running = null;
      store.set({ sending: null });
      sending.hidden = true;
      bar.value = 0;
    }
  };
  const take = (/** @type {Promise<Source>} */ source) => attempt(async () => send(await source));
  const files = chooser(
    "choose-files",
    "Choose a video, zip or images",
    { multiple: true, accept: "video/*,image/*,.zip,.mkv,.avi,.mov" },
    (chosen) => take(Promise.resolve().then(() => sourceOf(chosen, ""))),
  );
  const folder = chooser("choose-folder", "Choose a folder of frames", { webkitdirectory: true }, (chosen) =>
    take(Promise.resolve().then(() => chosenFolder(chosen))),
  );
  find("#drop", HTMLElement).append(
    icon("film"),
    el("h1", { id: "drop-title" }, "Drop a video here"),
    el("p", { class: "soft" }, "or a zip or a folder of frames. Everything stays on this machine."),
    el("div", { class: "row" }, ...files, ...folder, sampleButton(store, open)),
    sending,
  );
  return take;
}

/** For those who want to look around first. @param {Store} store @param {(id: string) => void} open */
function sampleButton(store, open) {
  const take = async () => {
    const project = await api.sample();
    store.addProject(project);
    open(project.id);
  };
  const sample = button("play", "Try a sample clip", () => attempt(take), { text: true });
  sample.title = "Five seconds of Big Buck Bunny, © Blender Foundation, CC BY 3.0";
  return sample;
}

/** @param {Project} project @param {string | null} sending id of the one that this tab sends */
function stateOf(project, sending) {
  if (project.state === "failed") return project.error ?? "Could not be read.";
  if (project.state === "new") return project.id === sending ? "Being sent…" : "It was not sent to its end.";
  if (project.state === "decoding") return `Reading, ${count(project.count, "frame")} so far`;
  const { width, height, fps } = project;
  const long = `${count(project.count, "frame")}, ${duration(project.count / (fps || 25))}`;
  return `${long} · ${width} × ${height} · ${count(project.objects.length, "object")}`;
}

/** When it was opened: names may be the same. @param {Project} project */
function made({ created }) {
  const date = new Date(created);
  const text = Number.isNaN(date.valueOf()) ? "" : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return el("time", { datetime: created }, text);
}

/** @param {Project} project @param {Store} store @param {(id: string) => void} open */
function card(project, store, open) {
  const { id, name } = project;
  const picture = project.count
    ? el("img", { src: api.frameUrl(id, 0, "display"), alt: "", loading: "lazy" })
    : icon(project.state === "failed" ? "warning" : "film");
  const rename = () => attempt(() => renameProject(project, store));
  const remove = () =>
    attempt(async () => {
      if (await confirm(`Delete ${name}?`, "Its frames, masks and exports are removed from this machine.", "Delete"))
        await api.remove(id);
    });
  const actions = [
    button("pencil", `Rename ${name}`, rename, { class: "quiet" }),
    button("trash", `Delete ${name}`, remove, { class: "quiet" }),
  ];
  actions.forEach((action, i) => (action.id = `${i ? "delete" : "rename"}-${id}`));
  if (project.state === "failed") {
    const again = () => attempt(() => api.decode(id)); // its events tell how it goes
    actions.unshift(button("next", `Read ${name} again`, again, { class: "quiet" }));
    actions[0].id = `again-${id}`;
  }
  const opens = project.count > 0 || project.state === "decoding";
  const title = opens
    ? el("a", { id: `open-${id}`, href: `#/p/${id}`, class: "open" }, name)
    : el("span", { class: "open" }, name);
  title.addEventListener("click", (event) => {
    event.preventDefault();
    if (opens) open(id);
  });
  const state = stateOf(project, store.state.sending);
  const about = el("p", { class: `soft ${project.state === "failed" ? "bad" : ""}` }, state);
  return el(
    "li",
    { class: "card" },
    el("div", { class: "thumb" }, picture),
    el("div", { class: "about" }, title, about, el("p", { class: "soft" }, made(project))),
    el("div", { class: "row" }, ...actions),
  );
}

/** @param {Project} project @param {Store} store */
export async function renameProject(project, store) {
  const name = await askName("Rename the project", "Name", project.name, store.state.server?.limits.name_length ?? 120);
  if (name) await api.rename(project.id, name);
}
