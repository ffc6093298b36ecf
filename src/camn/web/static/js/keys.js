/** What the keys do in the editor. */

import { showHelp } from "./help.js";
import { attempt, closeAll } from "./messages.js";
import { clampRadius, TOOLS } from "./toolbar.js";
import { jump, jumpGiven } from "./transport.js";
import { VIEWS } from "./views.js";

/** @import {App} from "./app.js" */

const FIELD = "input:not([type=range], [type=checkbox], [type=color]), textarea, select";

/** @param {App} app @returns {{[key: string]: () => unknown}} by event.key in lower case, "shift+" before it if held */
function bindings(app) {
  const { store } = app;
  const step = (/** @type {number} */ by) => () => app.session?.seek(store.state.frame + by);
  const resize = (/** @type {number} */ factor) => () => {
    const { radius } = store.state;
    const wanted = clampRadius(radius * factor);
    store.set({ radius: clampRadius(wanted === radius ? radius + Math.sign(factor - 1) : wanted) });
  };
  const view = () =>
    store.set({ view: VIEWS[(VIEWS.findIndex(([name]) => name === store.state.view) + 1) % VIEWS.length][0] });
  return {
    ...Object.fromEntries(TOOLS.map((tool) => [tool.key.toLowerCase(), () => store.set({ tool: tool.id })])),
    arrowleft: step(-1),
    arrowright: step(1),
    "shift+arrowleft": step(-10),
    "shift+arrowright": step(10),
    home: step(-Infinity),
    end: step(Infinity),
    arrowup: () => jumpGiven(app.session, -1),
    arrowdown: () => jumpGiven(app.session, 1),
    d: () => jump(app.session, 1),
    "shift+d": () => jump(app.session, -1),
    "[": resize(1 / 1.2),
    "]": resize(1.2),
    n: () => attempt(() => app.session?.objects.add()),
    delete: () => app.eraseObject(),
    "shift+delete": () => app.clearFrame(),
    l: () => app.chooseMask(),
    v: view,
    0: () => app.fit(),
    "+": () => app.zoom(1.25),
    "=": () => app.zoom(1.25),
    "-": () => app.zoom(0.8),
    z: () => app.undo(),
    "shift+z": () => app.redo(),
    f: () => app.propagation.press("forward"),
    r: () => app.propagation.press("backward"),
    escape: closeAll, // where there is nothing that the tool had to stop
  };
}

/** @param {App} app */
export function listenToKeys(app) {
  const known = bindings(app);
  listenToSpace(app);
  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (document.querySelector("dialog[open]") || target.closest(FIELD)) return;
    if (event.key === "?") return showHelp();
    if (!app.session || event.altKey || pressesControl(event, target)) return;
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    if (command && key !== "z" && key !== "y") return;
    if (app.stage.tool?.key(event)) return event.preventDefault();
    const bare = key.length === 1 && !/[a-z]/.test(key); // "?" and "+" are typed with Shift on many keyboards
    const name = command && key === "y" ? "shift+z" : event.shiftKey && !bare ? `shift+${key}` : key;
    const work = known[name] ?? number(app, key);
    if (!work) return;
    event.preventDefault();
    work();
  });
}

/**
 * Space tapped plays; held, it lets the frame be moved by dragging.
 * @param {App} app
 */
function listenToSpace(app) {
  const { stage } = app;
  let alone = false; // has nothing been dragged meanwhile?
  const release = () => {
    stage.grabbing = false;
    delete stage.canvas.dataset.grabbing;
  };
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !app.session || elsewhere(event)) return;
    event.preventDefault();
    if (!event.repeat) alone = true;
    stage.grabbing = true;
    stage.canvas.dataset.grabbing = "true";
  });
  stage.canvas.addEventListener("pointerdown", () => (alone = false));
  document.addEventListener("keyup", (event) => {
    if (event.key !== " " || !stage.grabbing) return;
    release();
    if (alone && app.session) app.player.toggle();
  });
  window.addEventListener("blur", release);
}

/** Is it typed into something else? @param {KeyboardEvent} event */
function elsewhere(event) {
  const target = /** @type {Element} */ (event.target);
  return (
    document.querySelector("dialog[open]") !== null || target.closest(FIELD) !== null || pressesControl(event, target)
  );
}

/** Keys that the focused control takes for itself. @param {KeyboardEvent} event @param {Element} target */
function pressesControl(event, target) {
  if (target.closest("input[type=range]")) return /^(Arrow|Home|End|Page)/.test(event.key);
  return target.closest("button, a, input, label") !== null && (event.key === " " || event.key === "Enter");
}

/** @param {App} app @param {string} key */
function number(app, key) {
  const object = /^[1-9]$/.test(key) ? app.session?.project.objects[Number(key) - 1] : undefined;
  return object && (() => app.store.set({ object: object.id, fresh: false }));
}
