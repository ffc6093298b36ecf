/** Play, step, the number of the frame, and jumps to where the network was not sure. */

import { button, el, find, say } from "./dom.js";
import { timecode } from "./format.js";
import { icon } from "./icons.js";
import { note } from "./messages.js";

/** @import {Player} from "./player.js" */
/** @import {Session} from "./session.js" */
/** @import {Store} from "./store.js" */

/** @param {Store} store @param {Player} player @param {() => Session | null} session */
export function showTransport(store, player, session) {
  const step = (/** @type {number} */ by) => () => session()?.seek(store.state.frame + by);
  const play = button("play", "Play", () => player.toggle(), { key: "Space", class: "play" });
  store.watch(["playing"], () => {
    const { playing } = store.state;
    play.replaceChildren(icon(playing ? "pause" : "play"));
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
  });
  find("#transport", HTMLElement).append(
    button("first", "First frame", step(-Infinity), { key: "Home", class: "quiet" }),
    button("previous", "One frame back", step(-1), { key: "←", class: "quiet" }),
    play,
    button("next", "One frame on", step(1), { key: "→", class: "quiet" }),
    button("last", "Last frame", step(Infinity), { key: "End", class: "quiet" }),
    frameField(store, session),
    el("span", { class: "gap" }),
    legend(),
    button("backward", "Previous doubtful or lost stretch", () => jump(session(), -1), {
      key: "Shift+D",
      class: "quiet trouble",
    }),
    el("span", { class: "soft", title: "Doubtful and lost stretches" }, icon("warning")),
    button("forward", "Next doubtful or lost stretch", () => jump(session(), 1), { key: "D", class: "quiet trouble" }),
  );
}

/** @param {Store} store @param {() => Session | null} session */
function frameField(store, session) {
  const input = el("input", { type: "number", id: "frame", min: 1, value: 1 });
  const total = el("span", { class: "soft" });
  const time = el("span", { class: "time", title: "Time" });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") find("#stage", HTMLElement).focus(); // the keys are its again
  });
  input.addEventListener("change", () => {
    if (input.value) session()?.seek(Number(input.value) - 1);
    input.value = String(store.state.frame + 1);
  });
  store.watch(["frame", "projects", "projectId"], () => {
    const { project } = store;
    if (!project) return;
    if (document.activeElement !== input) input.value = String(store.state.frame + 1);
    input.max = String(project.count);
    say(
      total,
      `/ ${project.state === "decoding" && project.total ? `${project.count} of ${project.total}` : project.count}`,
    );
    say(time, timecode(store.state.frame, project.fps));
  });
  return el("div", { class: "inline" }, el("label", { for: "frame" }, "Frame"), input, total, time);
}

function legend() {
  const names = /** @type {const} */ ([
    ["given", "Yours"],
    ["predicted", "Predicted"],
    ["doubtful", "Doubtful"],
    ["lost", "Lost"],
  ]);
  return el(
    "ul",
    { class: "legend", "aria-label": "Legend" },
    ...names.map(([kind, name]) => el("li", {}, el("i", { class: kind }), name)),
  );
}

/** To the begin of the next stretch, of any object. @param {Session | null} session @param {1 | -1} direction */
export function jump(session, direction) {
  if (!session) return;
  const { frame } = session.store.state;
  const { count, objects } = session.project;
  const starts = objects.flatMap(({ id }) => session.track.stretches(id, count).map((stretch) => stretch.first));
  const { predicted } = session.track;
  const there = starts.filter((first) => (first - frame) * direction > 0).sort((a, b) => (a - b) * direction)[0];
  if (there !== undefined) return session.seek(there);
  const way = direction > 0 ? "after" : "before";
  if (starts.length) note(`No doubtful or lost stretch begins ${way} frame ${frame + 1}.`);
  else note(`There is no doubtful or lost stretch.${predicted.size ? "" : " Nothing was propagated yet."}`);
}

/** To the next frame with a mask of the user's. @param {Session | null} session @param {1 | -1} direction */
export function jumpGiven(session, direction) {
  if (!session) return;
  const { frame } = session.store.state;
  const there = [...session.track.given]
    .filter((n) => (n - frame) * direction > 0)
    .sort((a, b) => (a - b) * direction)[0];
  if (there !== undefined) session.seek(there);
}
