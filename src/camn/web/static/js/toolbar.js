/** The strip of tools, and above the picture what the chosen one can be set to. */

import { button, el, find, say } from "./dom.js";
import { Brush } from "./tools/brush.js";
import { Click } from "./tools/click.js";
import { Polygon } from "./tools/polygon.js";

/** @import {IconName} from "./icons.js" */
/** @import {Store} from "./store.js" */
/** @import {Context, Tool} from "./tools/tool.js" */
/**
 * @typedef {object} Kind
 * @property {string} id
 * @property {IconName} icon
 * @property {string} name
 * @property {string} key
 * @property {string} hint
 * @property {boolean} sized has it a radius?
 * @property {(context: Context) => Tool} make
 */

/** @type {Kind[]} */
export const TOOLS = [
  {
    id: "click",
    icon: "click",
    name: "Click",
    key: "C",
    sized: false,
    hint: "Click on it; right click or Alt takes away, a drag is a box. Enter: next object.",
    make: (context) => new Click(context),
  },
  {
    id: "brush",
    icon: "brush",
    name: "Brush",
    key: "B",
    sized: true,
    hint: "Paint the object. Shift erases.",
    make: (context) => new Brush(context, false),
  },
  {
    id: "eraser",
    icon: "eraser",
    name: "Eraser",
    key: "E",
    sized: true,
    hint: "Erase. Shift paints.",
    make: (context) => new Brush(context, true),
  },
  {
    id: "polygon",
    icon: "polygon",
    name: "Polygon",
    key: "P",
    sized: false,
    hint: "Click corners; Enter, a double click or the first corner closes. Shift cuts out.",
    make: (context) => new Polygon(context),
  },
];

export const RADIUS = { least: 1, most: 200 };

/** @param {number} radius */
export const clampRadius = (radius) => Math.min(RADIUS.most, Math.max(RADIUS.least, Math.round(radius)));

/** @param {Store} store @param {() => void} load a mask file */
export function showToolbar(store, load) {
  const strip = find("#tools", HTMLElement);
  const buttons = TOOLS.map((tool) =>
    button(tool.icon, tool.name, () => store.set({ tool: tool.id }), { key: tool.key, class: "tool", text: true }),
  );
  const loader = button("load", "Load a mask file for this frame", load, { key: "L", class: "tool" });
  loader.append(el("span", { "aria-hidden": "true" }, "Load"));
  strip.append(...buttons, el("hr"), loader);
  store.watch(["tool"], () =>
    TOOLS.forEach((tool, i) => buttons[i].setAttribute("aria-pressed", String(tool.id === store.state.tool))),
  );
  find("#options", HTMLElement).append(signField(store), readingField(store), slowField(store), sizeField(store), protectField(store), hint(store));
}

/** For those who have neither a right button nor Alt. @param {Store} store */
function signField(store) {
  const choices = /** @type {const} */ ([
    ["plus", "Clicks add", false],
    ["minus", "Clicks take away", true],
  ]);
  const buttons = choices.map(([icon, label, away]) => button(icon, label, () => store.set({ away }), { class: "small" }));
  store.watch(["away"], () =>
    buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(store.state.away === choices[i][2]))),
  );
  const field = el("div", { class: "inline signs", role: "group", "aria-label": "What clicks do" }, ...buttons);
  store.watch(["tool"], () => (field.hidden = store.state.tool !== "click"));
  return field;
}

/** Which of several answers to a click is shown. @param {Store} store */
function readingField(store) {
  const text = el("span", { id: "reading" });
  store.watch(["reading"], () => {
    text.hidden = store.state.reading === null;
    say(text, store.state.reading ?? "");
  });
  return text;
}

/** Why nothing is shown under the pointer. @param {Store} store */
function slowField(store) {
  const title = "This machine takes longer than 0.1 s to find what a click would take, so it is not shown under the pointer. Clicks work.";
  const text = el("span", { id: "slow", class: "soft", title, role: "status" });
  store.watch(["slow", "tool"], () => {
    text.hidden = !store.state.slow || store.state.tool !== "click";
    say(text, text.hidden ? "" : "No preview: too slow here");
  });
  return text;
}

/** @param {Store} store */
function hint(store) {
  const text = el("p", { class: "hint soft" });
  store.watch(["tool"], () => say(text, TOOLS.find((tool) => tool.id === store.state.tool)?.hint ?? ""));
  return text;
}

/** The slider is logarithmic: fine for small brushes. @param {Store} store */
function sizeField(store) {
  const top = Math.log(RADIUS.most);
  const input = el("input", { type: "range", id: "radius", min: 0, max: 100, title: "How wide the brush paints ( [ and ] )" });
  const value = el("output", { for: "radius" });
  input.addEventListener("input", () =>
    store.set({ radius: clampRadius(Math.exp((Number(input.value) / 100) * top)) }),
  );
  store.watch(["radius"], () => {
    const at = String(Math.round((Math.log(store.state.radius) / top) * 100));
    if (document.activeElement !== input) input.value = at;
    const across = 2 * store.state.radius;
    input.setAttribute("aria-valuetext", `${across} pixels across`);
    say(value, `${across} px`);
  });
  const field = el("div", { class: "inline" }, el("label", { for: "radius" }, "Size"), input, value);
  store.watch(["tool"], () => (field.hidden = !TOOLS.find((tool) => tool.id === store.state.tool)?.sized));
  return field;
}

/** @param {Store} store */
function protectField(store) {
  const input = el("input", { type: "checkbox", id: "protect" });
  input.addEventListener("change", () => store.set({ protect: input.checked }));
  return el(
    "div",
    { class: "inline", title: "Paint and erase only the selected object" },
    input,
    el("label", { for: "protect" }, "Keep other objects"),
  );
}
