/** How masks are shown: overlay, outline, cut-out or not at all, and how strong. */

import { button, el, find } from "./dom.js";

/** @import {History} from "./history.js" */
/** @import {Store, View} from "./store.js" */

/** @type {[View, string][]} */
export const VIEWS = [
  ["overlay", "Overlay"],
  ["outline", "Outline"],
  ["cutout", "Cut-out"],
  ["frame", "Frame"],
];

/**
 * @param {Store} store
 * @param {{undo: () => void, redo: () => void, fit: () => void, history: () => History | undefined}} actions
 * @returns {() => void} to be called after a change of the history
 */
export function showViews(store, actions) {
  const undo = button("undo", "Undo", actions.undo, { key: "Z", class: "quiet" });
  const redo = button("redo", "Redo", actions.redo, { key: "Shift+Z", class: "quiet" });
  const fit = button("fit", "Fit the frame into the window", actions.fit, { key: "0", class: "quiet" });
  find("#actions", HTMLElement).append(
    undo,
    redo,
    el("span", { class: "gap" }),
    choice(store),
    opacityField(store),
    fit,
  );
  return () => {
    const history = actions.history();
    for (const [element, list, word] of /** @type {const} */ ([
      [undo, history?.done, "Undo"],
      [redo, history?.undone, "Redo"],
    ])) {
      const last = list?.at(-1);
      element.setAttribute("aria-disabled", String(!last));
      element.title = last ? `${word}: ${last.label}` : `Nothing to ${word.toLowerCase()}`;
    }
  };
}

/** @param {Store} store */
function choice(store) {
  const group = el("div", { class: "segments", role: "group", "aria-label": "Show masks as" });
  const buttons = VIEWS.map(([view, name]) =>
    el(
      "button",
      { type: "button", title: `${name} (V goes on to the next)`, onclick: () => store.set({ view }) },
      name,
    ),
  );
  group.append(...buttons);
  store.watch(["view"], () =>
    VIEWS.forEach(([view], i) => buttons[i].setAttribute("aria-pressed", String(view === store.state.view))),
  );
  return group;
}

/** @param {Store} store */
function opacityField(store) {
  const input = el("input", { type: "range", id: "opacity", min: 5, max: 100, step: 5, value: 50 });
  input.addEventListener("input", () => store.set({ opacity: Number(input.value) / 100 }));
  const field = el("div", { class: "inline opacity" }, el("label", { for: "opacity" }, "Opacity"), input);
  store.watch(["view"], () => (input.disabled = store.state.view !== "overlay"));
  return field;
}
