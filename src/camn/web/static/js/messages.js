/** Short messages over the frame; errors and warnings stay until they are closed. */

import { button, el, find } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN = 6000; // milliseconds
const MOST = 4;

/** @param {"error" | "warning" | "note"} kind @param {string} text */
function show(kind, text) {
  const list = find("#messages", HTMLElement);
  for (const old of list.children) if (old.querySelector("p")?.textContent === text) old.remove();
  while (list.children.length >= MOST) list.firstElementChild?.remove();
  const message = el("div", { class: `message ${kind}`, role: kind === "error" ? "alert" : "status" });
  const close = button("close", "Close this message", () => message.remove(), { class: "quiet small" });
  message.append(icon(kind === "note" ? "done" : "warning"), el("p", {}, text), close);
  list.append(message);
  if (kind === "note") setTimeout(() => message.remove(), SHOWN);
}

/** @param {string} text */
export const note = (text) => show("note", text);

/** Something that matters later: it stays. @param {string} text */
export const warn = (text) => show("warning", text);

export const closeAll = () => find("#messages", HTMLElement).replaceChildren();

/** What was cancelled is no error. @param {unknown} error */
export function fail(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  show("error", error instanceof Error ? error.message : String(error));
}

/** Does it and tells if it fails. @param {() => unknown} work @returns {Promise<void>} */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    fail(error);
  }
}
