/** Questions, as dialogs: Escape and Cancel answer no; the focus returns to where it was. */

import { el } from "./dom.js";

/**
 * @param {HTMLElement[]} content @param {string} title @param {string} action @param {boolean} danger
 * @returns {Promise<boolean>}
 */
export function ask(content, title, action, danger) {
  const heading = el("h2", { id: "dialog-title" }, title);
  const cancel = el("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel");
  const accept = el("button", { type: "submit", class: `button ${danger ? "danger" : "primary"}` }, action);
  const form = el("form", { method: "dialog" }, heading, ...content, el("div", { class: "actions" }, cancel, accept));
  const dialog = el("dialog", { class: "dialog", "aria-labelledby": "dialog-title" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let yes = false;
    form.addEventListener("submit", () => (yes = true));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(yes);
    });
    dialog.showModal();
  });
}

/** @param {string} title @param {string} text @param {string} action @returns {Promise<boolean>} */
export const confirm = (title, text, action) => ask([el("p", {}, text)], title, action, true);

/**
 * Which of these: their values, null if none.
 * @template T @param {string} title @param {string} text @param {{value: T, name: string, chosen: boolean}[]} choices
 * @param {string} action @returns {Promise<T[] | null>}
 */
export async function choose(title, text, choices, action) {
  const boxes = choices.map(({ chosen }, i) => el("input", { type: "checkbox", id: `choice-${i}`, checked: chosen }));
  const rows = choices.map(({ name }, i) =>
    el("div", { class: "inline" }, boxes[i], el("label", { for: `choice-${i}` }, name)),
  );
  const yes = await ask([el("p", {}, text), ...rows], title, action, false);
  const values = choices.filter((_, i) => boxes[i].checked).map(({ value }) => value);
  return yes && values.length ? values : null;
}

/**
 * A whole number, 0 or more; null: none.
 * @param {string} title @param {string} text @param {string} label @param {number} value
 * @returns {Promise<number | null>}
 */
export async function askNumber(title, text, label, value) {
  const input = el("input", { id: "dialog-number", type: "number", min: 0, step: 1, value, required: true, autofocus: true });
  const field = el("div", { class: "field" }, el("label", { for: "dialog-number" }, label), input);
  return (await ask([el("p", {}, text), field], title, "Load", false)) ? Number(input.value) : null;
}

/**
 * @param {string} title @param {string} label @param {string} value @param {number} longest
 * @returns {Promise<string | null>}
 */
export async function askName(title, label, value, longest) {
  const input = el("input", {
    id: "dialog-name",
    value,
    maxlength: longest,
    required: true,
    autofocus: true,
    autocomplete: "off",
  });
  const field = el("div", { class: "field" }, el("label", { for: "dialog-name" }, label), input);
  const yes = await ask([field], title, "Rename", false);
  const name = input.value.trim();
  return yes && name && name !== value ? name : null;
}
