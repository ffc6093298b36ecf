/** A mask file of the user's, loaded onto the shown frame, or onto those it names. */

import { api, ApiError } from "./api.js";
import { changeOf, NOTHING, reversed } from "./changes.js";
import { confirm } from "./dialog.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { blank, whole } from "./ids.js";
import { note } from "./messages.js";

/** @import {Change} from "./changes.js" */
/** @import {IdMap} from "./png.js" */
/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */
/** @import {Before, Loaded, MaskFileKind} from "./types.js" */

const MOST_KEPT = 32; // masks at full size that are kept for one undo
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

/** @param {Session} session @param {File} file */
export async function loadMask(session, file) {
  const { frame } = session.store.state;
  await session.sent;
  const before = await givenMasks(session, frame, maskKind(session.store, file)?.several ?? true);
  const loaded = await send(session, frame, file);
  if (!loaded) return;
  loaded.notes.forEach(note);
  const [first, ...more] = loaded.frames;
  const undone = before && loaded.frames.length <= MOST_KEPT;
  const words = `Loaded for ${more.length ? count(loaded.frames.length, "frame") : `frame ${first + 1}`}`;
  note(undone ? `${words}.` : `${words}. This is too much to be undone by Z.`);
  await session.reload();
  if (undone) await remember(session, loaded, before);
}

/** @param {Session} session @param {number} frame @param {File} file */
async function send(session, frame, file) {
  try {
    return await api.loadMask(session.id, frame, file, false);
  } catch (error) {
    const other = error instanceof ApiError && error.code === "other_size";
    if (!other || !(await confirm("Scale the mask?", OTHER_SIZE, "Scale it"))) throw error;
    return api.loadMask(session.id, frame, file, true);
  }
}

/**
 * The user's masks that may be replaced, as they are, to go back to; null if there are too many.
 * @param {Session} session @param {number} frame @param {boolean} any of any frame, not of this one alone
 * @returns {Promise<Map<number, IdMap> | null>}
 */
async function givenMasks(session, frame, any) {
  const { given } = session.track;
  const replaced = any ? [...given] : [frame].filter((n) => given.has(n));
  if (replaced.length > MOST_KEPT) return null;
  const kept = new Map();
  for (const n of replaced) kept.set(n, await session.load(n));
  return kept;
}

/** @param {Session} session @param {Loaded} loaded @param {Map<number, IdMap>} known */
async function remember(session, loaded, known) {
  const { width, height } = session.project;
  /** @type {{frame: number, change: Change, before: Before}[]} */
  const changes = [];
  for (const frame of loaded.frames) {
    const after = await session.load(frame);
    const change = changeOf(known.get(frame) ?? blank(width, height), after, whole(after)) ?? NOTHING;
    changes.push({ frame, change, before: loaded.before[frame] });
  }
  const undo = async () => {
    for (const one of changes) await session.edits.replay(one.frame, reversed(one.change), one.before);
    session.show(loaded.frames[0]);
  };
  const redo = async () => {
    for (const one of changes) one.before = await session.edits.replay(one.frame, one.change, null);
    session.show(loaded.frames[0]);
  };
  session.history.push({ label: "Load a mask", undo, redo });
}
