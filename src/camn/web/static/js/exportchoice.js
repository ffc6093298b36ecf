/** What exports show: which objects, which frames, what lies behind a cut-out. All, until the user chooses. */

import { backgroundField, behind, PLAIN } from "./background.js";
import { ask } from "./dialog.js";
import { el, say } from "./dom.js";

/** @import {Session} from "./session.js" */
/** @import {Export, ExportOffer, Obj} from "./types.js" */
/** @import {Background} from "./background.js" */
/** @typedef {{objects: Set<number> | null, frames: [number, number] | null, background: Background}} Choice null: all */

/** @type {Choice} */
const ALL = { objects: null, frames: null, background: PLAIN };

/** @param {string} id @param {string} label @param {number} value @param {number} count */
function frameField(id, label, value, count) {
  const input = el("input", { type: "number", id, min: 1, max: count, step: 1, required: true, value });
  return { input, row: el("div", { class: "inline" }, el("label", { for: id }, label), input) };
}

/** @param {Obj[]} objects @param {Set<number> | null} chosen */
function objectFields(objects, chosen) {
  const boxes = objects.map(({ id }) =>
    el("input", { type: "checkbox", id: `export-object-${id}`, checked: !chosen || chosen.has(id) }),
  );
  const rows = objects.map(({ id, name }, i) =>
    el("div", { class: "inline" }, boxes[i], el("label", { for: `export-object-${id}` }, name)),
  );
  const some = () => boxes[0]?.setCustomValidity(boxes.some((box) => box.checked) ? "" : "Choose an object.");
  for (const box of boxes) box.addEventListener("change", some);
  const value = () => objects.filter((_, i) => boxes[i].checked).map(({ id }) => id);
  return { row: el("fieldset", { class: "field" }, el("legend", {}, "Objects"), ...rows), value };
}

export class ExportChoice {
  /** @param {() => Session | null} session */
  constructor(session) {
    this.session = session;
    this.project = "";
    this.choice = ALL;
    const label = "Choose what exports show";
    const props = { type: "button", class: "button quiet small", title: label, "aria-label": label };
    this.button = el("button", { ...props, onclick: () => void this.edit() }, "Choose…");
    this.summary = el("p", { class: "soft", id: "export-choice", role: "status" });
  }

  /** What was chosen, as far as it is there still. @param {Session} session @returns {Choice} */
  of(session) {
    if (this.project !== session.id) [this.project, this.choice] = [session.id, ALL];
    const { objects } = this.choice;
    const left = objects && new Set(session.project.objects.map(({ id }) => id).filter((id) => objects.has(id)));
    if (objects && left?.size !== objects.size) this.choice = { ...this.choice, objects: left?.size ? left : null };
    return this.choice;
  }

  /** Fields of an export. @param {Session} session @param {ExportOffer} offer @returns {Partial<Export>} */
  wish(session, { wishes }) {
    const { objects, frames, background } = this.of(session);
    return {
      ...(objects && { objects: [...objects] }),
      ...(frames && { frames }),
      ...(wishes.includes("background") && { background: background.said }),
    };
  }

  async edit() {
    const session = this.session();
    if (!session) return;
    const { count, objects } = session.project;
    const chosen = this.of(session);
    const which = objectFields(objects, chosen.objects);
    const first = frameField("export-first", "Frames from", (chosen.frames?.[0] ?? 0) + 1, count);
    const last = frameField("export-last", "to", (chosen.frames?.[1] ?? count - 1) + 1, count);
    const order = () => last.input.setCustomValidity(
      Number(last.input.value) < Number(first.input.value) ? "The last frame lies before the first one." : "",
    );
    for (const { input } of [first, last]) input.addEventListener("input", order);
    const background = backgroundField(session.id, chosen.background);
    const rows = [which.row, el("div", { class: "inline" }, first.row, last.row), ...background.rows];
    if (!(await ask(rows, "What exports show", "Choose", false))) return;
    const ids = which.value();
    const frames = /** @type {[number, number]} */ ([first, last].map(({ input }) => Number(input.value) - 1));
    this.choice = {
      objects: ids.length === objects.length ? null : new Set(ids),
      frames: frames[0] === 0 && frames[1] === count - 1 ? null : frames,
      background: background.value(),
    };
    this.show();
  }

  /** In words, where it is not all. */
  show() {
    const session = this.session();
    const { objects, frames, background } = session ? this.of(session) : ALL;
    const words = [
      objects && `${objects.size} of ${session?.project.objects.length} objects`,
      frames && `frames ${frames[0] + 1} to ${frames[1] + 1}`,
    ].filter(Boolean);
    const ground = behind(background);
    const said = [words.length && `Exports show ${words.join(", ")}.`, ground && `Cut-outs lie over ${ground}.`];
    say(this.summary, said.filter(Boolean).join(" "));
    this.summary.hidden = !this.summary.textContent;
  }
}
