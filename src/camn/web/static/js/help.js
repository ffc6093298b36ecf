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
      ["B", "Brush"],
      ["E", "Eraser"],
      ["P", "Polygon"],
      ["X", "Box"],
      ["S", "Scribble"],
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
  "Mark each object on a frame that shows it well. The box (X) is quickest: drag it around one.",
  "Propagate: the masks of all other frames appear as they are made.",
  "Look where the strips are hatched: the network was not sure there, or lost the object.",
  "Correct a frame there, and propagate from it. Frames that you corrected stay as references.",
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
