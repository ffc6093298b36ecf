/** Short messages over the frame; errors and warnings stay until they are closed. */

import { button, el, find } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {{name: string, work: () => unknown}} Action a button of a message, which it closes */

const SHOWN = 6000; // milliseconds
const MOST = 4;

/**
 * @param {"error" | "warning" | "note"} kind @param {string} text
 * @param {{about?: string, action?: Action}} [more] about: of messages about one thing the last one is left
 */
function show(kind, text, { about = text, action } = {}) {
  const list = find("#messages", HTMLElement);
  settle(about);
  while (list.children.length >= MOST) list.firstElementChild?.remove();
  const message = el("div", { class: `message ${kind}`, role: kind === "error" ? "alert" : "status" });
  message.dataset.about = about;
  const close = button("close", "Close this message", () => message.remove(), { class: "quiet small" });
  const act = (/** @type {Action} */ { work }) => () => {
    message.remove();
    return attempt(work);
  };
  const more = action && el("button", { type: "button", class: "button", onclick: act(action) }, action.name);
  const said = el("div", { class: "stack said" }, el("p", {}, text), more ?? null);
  message.append(icon(kind === "note" ? "done" : "warning"), said, close);
  list.append(message);
  if (kind === "note") setTimeout(() => message.remove(), SHOWN);
}

/** What was said about something is over. @param {string} about */
export function settle(about) {
  const list = find("#messages", HTMLElement);
  for (const old of /** @type {HTMLElement[]} */ ([...list.children])) if (old.dataset.about === about) old.remove();
}

/** @param {string} text */
export const note = (text) => show("note", text);

/** Something that matters later: it stays. @param {string} text @param {Action} [action] */
export const warn = (text, action) => show("warning", text, { action });

export const closeAll = () => find("#messages", HTMLElement).replaceChildren();

/** What was cancelled is no error. @param {unknown} error @param {string} [about] */
export function fail(error, about) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  show("error", error instanceof Error ? error.message : String(error), { about });
}

/** Does it and tells if it fails. @param {() => unknown} work @returns {Promise<void>} */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    fail(error);
  }
}
