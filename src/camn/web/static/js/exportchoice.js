/** What exports show: which objects, which frames, what lies behind a cut-out. All, until the user chooses. */

import { ask } from "./dialog.js";
import { el, say } from "./dom.js";

/** @import {Session} from "./session.js" */
/** @import {Export, ExportOffer, Obj} from "./types.js" */
/** @typedef {{objects: Set<number> | null, frames: [number, number] | null, background: string}} Choice null: all */

const BACKGROUND = "#00ff00";
/** @type {Choice} */
const ALL = { objects: null, frames: null, background: BACKGROUND };

/** @param {string} id @param {string} label @param {number} value @param {number} count */
function frameField(id, label, value, count) {
  const input = el("input", { type: "number", id, min: 1, max: count, step: 1, required: true, value });
  return { input, row: el("div", { class: "inline" }, el("label", { for: id }, label), input) };
}

/** @param {string} background */
function backgroundField(background) {
  const blur = background === "blur";
  const select = el(
    "select",
    { id: "export-behind" },
    el("option", { value: "colour", selected: !blur }, "a colour"),
    el("option", { value: "blur", selected: blur }, "the video, blurred"),
  );
  const value = blur ? BACKGROUND : background;
  const colour = el("input", { type: "color", value, "aria-label": "Colour behind cut-outs" });
  const show = () => (colour.hidden = select.value === "blur");
  select.addEventListener("change", show);
  show();
  const row = el("div", { class: "inline" }, el("label", { for: "export-behind" }, "Behind cut-outs"), select, colour);
  return { row, value: () => (select.value === "blur" ? "blur" : colour.value) };
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
      ...(wishes.includes("background") && { background }),
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
    const behind = backgroundField(chosen.background);
    const rows = [which.row, el("div", { class: "inline" }, first.row, last.row), behind.row];
    if (!(await ask(rows, "What exports show", "Choose", false))) return;
    const ids = which.value();
    const frames = /** @type {[number, number]} */ ([first, last].map(({ input }) => Number(input.value) - 1));
    this.choice = {
      objects: ids.length === objects.length ? null : new Set(ids),
      frames: frames[0] === 0 && frames[1] === count - 1 ? null : frames,
      background: behind.value(),
    };
    this.show();
  }

  /** In words, where it is not all. */
  show() {
    const session = this.session();
    const { objects, frames } = session ? this.of(session) : ALL;
    const words = [
      objects && `${objects.size} of ${session?.project.objects.length} objects`,
      frames && `frames ${frames[0] + 1} to ${frames[1] + 1}`,
    ].filter(Boolean);
    say(this.summary, words.length ? `Exports show ${words.join(", ")}.` : "");
    this.summary.hidden = !words.length;
  }
}
