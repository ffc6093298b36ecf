/** The keys, and how a job is done, in a dialog. */

import { button, el } from "./dom.js";

/** @type {[string, [string, string][]][]} */
const KEYS = [
  [
    "Go",
    [
      ["Space", "Play, pause"],
      ["← →", "One frame"],
      ["Shift ← →", "Ten frames"],
      ["Home End", "First, last frame"],
      ["↑ ↓", "Previous, next mask of yours"],
      ["D, Shift D", "Next, previous doubtful stretch"],
    ],
  ],
  [
    "Mark",
    [
      ["C", "Click: on the object"],
      ["Right, Alt click", "Take away"],
      ["Drag", "A box around it"],
      ["Tab", "Another reading of one click"],
      ["Enter", "It is done: the next object"],
      ["B", "Brush"],
      ["E", "Eraser"],
      ["P", "Polygon"],
      ["L", "Load a mask file"],
      ["[ ]", "Smaller, larger brush"],
      ["Shift", "Held: the tool's opposite"],
    ],
  ],
  [
    "Objects",
    [
      ["1 … 9", "Select"],
      ["N", "New one"],
      ["Delete", "Not on this frame"],
      ["Shift Delete", "Drop my mask of this frame"],
    ],
  ],
  [
    "See",
    [
      ["V", "Next view"],
      ["0", "Fit the frame"],
      ["+ −", "Zoom; also the wheel, or a pinch"],
      ["Space drag", "Move the frame; also Alt, or two fingers"],
    ],
  ],
  [
    "Do",
    [
      ["Z", "Undo"],
      ["Shift Z", "Redo"],
      ["F", "Propagate forward"],
      ["R", "Propagate backward"],
      ["Esc", "Stop what is begun"],
      ["?", "This page"],
    ],
  ],
];

const STEPS = [
  "Click on each object, on a frame that shows it well. A second click adds what is missing, a right click takes away what is too much. Enter, and click on the next one.",
  "Propagate: the masks of all other frames appear as they are made.",
  "Look where the strips are hatched: the network was not sure there, or lost the object.",
  "Correct a frame there by clicks, and propagate from it. Frames that you corrected stay as references.",
  "Export.",
];

export function showHelp() {
  if (document.querySelector("dialog[open]")) return;
  const close = button("close", "Close", () => dialog.close(), { class: "quiet" });
  const groups = KEYS.map(([title, keys]) =>
    el(
      "section",
      {},
      el("h3", {}, title),
      el("dl", {}, ...keys.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])),
    ),
  );
  const dialog = el(
    "dialog",
    { class: "dialog help", "aria-labelledby": "help-title" },
    el("div", { class: "heading" }, el("h2", { id: "help-title" }, "Help"), close),
    el("ol", {}, ...STEPS.map((step) => el("li", {}, step))),
    el("div", { class: "groups" }, ...groups),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
