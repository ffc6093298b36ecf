/** The list of objects: select, name, colour, hide, delete. */

import { button, el, find } from "./dom.js";
import { attempt } from "./messages.js";

/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {Obj} from "./types.js" */

/** @param {Store} store @param {() => Session | null} session the open one */
export function showObjects(store, session) {
  const list = el("ul", { class: "objects", "aria-labelledby": "objects-title" });
  const add = button("plus", "Add an object", () => attempt(() => session()?.objects.add()), {
    key: "N",
    class: "quiet",
  });
  find("#objects", HTMLElement).append(
    el("div", { class: "heading" }, el("h2", { id: "objects-title" }, "Objects"), add),
    list,
  );
  let shown = "";
  store.watch(["projects", "projectId", "object", "fresh", "hidden"], () => {
    const objects = store.project?.objects ?? [];
    const { object, fresh, hidden } = store.state;
    const key = JSON.stringify([store.state.projectId, objects, object, fresh, [...hidden]]);
    if (key === shown || list.querySelector(".editing")) return;
    shown = key;
    const focused = document.activeElement?.id;
    list.replaceChildren(...objects.map((one, i) => row(one, i, store, session)));
    if (!objects.length)
      list.append(el("li", { class: "none soft" }, "None yet. Click on something in the frame, or paint it with the brush (B)."));
    if (focused) document.getElementById(focused)?.focus();
  });
}

/** @param {Obj} object @param {number} index @param {Store} store @param {() => Session | null} session */
function row(object, index, store, session) {
  const { id, name } = object;
  const selected = store.state.object === id && !store.state.fresh;
  const hidden = store.state.hidden.has(id);
  const colour = el("input", {
    type: "color",
    id: `colour-${id}`,
    value: object.colour,
    "aria-label": `Colour of ${name}`,
    title: "Change the colour",
  });
  colour.addEventListener("change", () =>
    attempt(() => session()?.objects.change(object, { colour: colour.value })),
  );
  const item = el("li", { class: selected ? "selected" : "" });
  const rename = () => edit(item, select, object, store, session);
  const pressed = (/** @type {MouseEvent} */ event) => (event.detail === 2 ? rename() : store.set({ object: id, fresh: false }));
  const select = el(
    "button",
    {
      type: "button",
      id: `object-${id}`,
      class: "name",
      "aria-pressed": String(selected),
      title: "Select; double-click or F2 renames",
      onclick: pressed,
    },
    name,
  );
  select.addEventListener("keydown", (event) => event.key === "F2" && rename());
  const key = index < 9 ? el("kbd", { title: `Press ${index + 1} to select` }, String(index + 1)) : "";
  const hide = button(hidden ? "hidden" : "eye", hidden ? `Show ${name}` : `Hide ${name}`, () => toggle(store, id), {
    class: "quiet small",
  });
  const pencil = button("pencil", `Rename ${name}`, rename, { class: "quiet small" });
  const remove = button("trash", `Delete ${name}`, () => attempt(() => session()?.objects.remove(object)), {
    class: "quiet small",
  });
  for (const [element, word] of /** @type {const} */ ([
    [hide, "hide"],
    [pencil, "rename"],
    [remove, "remove"],
  ]))
    element.id = `${word}-object-${id}`;
  item.append(colour, select, key, pencil, hide, remove);
  return item;
}

/** @param {Store} store @param {number} id */
function toggle(store, id) {
  const hidden = new Set(store.state.hidden);
  hidden.delete(id) || hidden.add(id);
  store.set({ hidden });
}

/**
 * The name becomes a field until Enter, Escape, or the focus goes.
 * @param {HTMLElement} item @param {HTMLElement} label @param {Obj} object @param {Store} store
 * @param {() => Session | null} session
 */
function edit(item, label, object, store, session) {
  const input = el("input", {
    value: object.name,
    maxlength: store.state.server?.limits.name_length ?? 120,
    "aria-label": `Name of ${object.name}`,
    class: "name",
  });
  let over = false;
  /** @param {boolean} keep */
  const end = (keep) => {
    if (over) return;
    over = true;
    item.classList.remove("editing");
    input.replaceWith(label);
    label.focus();
    const name = input.value.trim();
    if (keep && name && name !== object.name) attempt(() => session()?.objects.change(object, { name }));
  };
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" || event.key === "Escape") end(event.key === "Enter");
  });
  input.addEventListener("blur", () => end(true));
  item.classList.add("editing");
  label.replaceWith(input);
  input.focus();
  input.select();
}
