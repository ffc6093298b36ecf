/** A mask file of the user's, loaded onto the shown frame, or onto those it names. */

import { api, ApiError } from "./api.js";
import { stepOf } from "./changes.js";
import { askNumber, confirm } from "./dialog.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { note, warn } from "./messages.js";

/** @import {Action} from "./history.js" */
/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {Done, Loaded, MaskFileKind} from "./types.js" */
/** @typedef {{first?: number, resize?: boolean}} How first: the number of the video's first frame in the file */

const FIRST = "Number of the video's first frame in the file";
const OTHERS = "If these are the wrong frames, say which number the video's first frame has in the file.";
const OTHER_SIZE = "It has another size than the video. Thin parts may get lost when it is scaled.";

/** @param {Store} store @param {(file: File) => void} chosen @returns {() => void} opens the dialog */
export function maskChooser(store, chosen) {
  const input = el("input", { type: "file", class: "unseen", "aria-label": "Mask file", tabindex: -1 });
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) chosen(file);
    input.value = ""; // the same file may be chosen again
  });
  store.watch(["server"], () => {
    input.accept = kinds(store)
      .flatMap(({ accept }) => accept)
      .join();
  });
  document.body.append(input);
  return () => input.click();
}

/** @param {Store} store */
const kinds = (store) => store.state.server?.mask_files ?? [];

/** What a file is by its name and type. @param {Store} store @param {File} file @returns {MaskFileKind | undefined} */
export const maskKind = (store, file) => kinds(store).find(({ accept }) => accept.some((one) => fits(file, one)));

/** @param {File} file @param {string} one of what a dialog accepts: ".json", "image/*" */
const fits = (file, one) =>
  one.startsWith(".") ? file.name.toLowerCase().endsWith(one) : file.type.startsWith(one.replace("*", ""));

/** @param {Session} session @param {File} file @param {How} [how] */
export async function loadMask(session, file, how = {}) {
  await session.sent;
  const answer = await send(session, file, how);
  if (!answer) return;
  const { frames, steps, notes, numbered } = answer.loaded;
  const words = `Loaded for ${frames.length > 1 ? count(frames.length, "frame") : `frame ${frames[0] + 1}`}`;
  note(steps ? `${words}.` : `${words}. This is too much to be undone by Z.`);
  await session.reload();
  const action = steps && remember(session, frames, steps);
  if (numbered) warn(notes.join(" "), otherwise(session, file, answer.how, action));
  else notes.forEach(note);
}

/**
 * Asks what only the user knows, until the file can be taken; null: not at all.
 * @param {Session} session @param {File} file @param {How} how @returns {Promise<{loaded: Loaded, how: How} | null>}
 */
async function send(session, file, how) {
  const { frame } = session.store.state;
  try {
    return { loaded: await api.loadMask(session.id, frame, file, how), how };
  } catch (error) {
    const code = error instanceof ApiError ? error.code : "";
    if (code === "other_size" && (await confirm("Scale the mask?", OTHER_SIZE, "Scale it"))) {
      return send(session, file, { ...how, resize: true });
    }
    if (code !== "other_frames") throw error;
    const first = await askFirst(/** @type {ApiError} */ (error).message, how.first ?? 1);
    return first === null ? null : send(session, file, { ...how, first });
  }
}

/** @param {string} text @param {number} value */
const askFirst = (text, value) => askNumber("Which frames are these?", text, FIRST, value);

/**
 * Where frames were guessed from numbers: a button to say it otherwise.
 * @param {Session} session @param {File} file @param {How} how it was loaded
 * @param {Action | null} action by which it was
 */
function otherwise(session, file, how, action) {
  const again = async (/** @type {number} */ first) => {
    if (session.history.done.at(-1) === action) await session.history.undo();
    await loadMask(session, file, { ...how, first });
  };
  const work = async () => {
    const first = await askFirst(OTHERS, (how.first ?? 0) + 1);
    if (first !== null) await session.act(() => again(first));
  };
  return { name: "Other frames…", work };
}

/** @param {Session} session @param {number[]} frames @param {{[frame: string]: Done}} steps */
function remember(session, frames, steps) {
  const { undo, redo } = session.edits.ways(frames.map((frame) => ({ frame, done: stepOf(steps[frame]) })));
  const then = (/** @type {() => Promise<void>} */ work) => () => work().then(() => session.show(frames[0]));
  return session.history.push({ label: "Load a mask", undo: then(undo), redo: then(redo) });
}
