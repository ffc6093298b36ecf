/** What lies behind cut-outs: a colour, the video out of focus, or a picture of the user's. */

import { api } from "./api.js";
import { el, say } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {{said: string, picture: {name: string, said: string} | null}} Background said: to the server */

const COLOUR = "#00ff00";
const WAIT = "The picture is being sent.";
const NONE = "Choose a picture.";

/** @type {Background} */
export const PLAIN = { said: COLOUR, picture: null };

/** In words, where it is not a colour. @param {Background} background */
export const behind = ({ said, picture }) =>
  said === "blur" ? "the blurred video" : said === picture?.said ? `“${picture.name}”` : null;

/**
 * A picture is sent as soon as it is chosen: what is wrong with it is said here.
 * @param {string} project @param {Background} chosen
 * @returns {{rows: HTMLElement[], value: () => Background}}
 */
export function backgroundField(project, chosen) {
  const kind = chosen.said === "blur" ? "blur" : chosen.said === chosen.picture?.said ? "picture" : "colour";
  const option = (/** @type {string} */ value, /** @type {string} */ words) =>
    el("option", { value, selected: value === kind }, words);
  const select = el(
    "select",
    { id: "export-behind" },
    option("colour", "a colour"),
    option("blur", "the video, blurred"),
    option("picture", "a picture"),
  );
  const value = kind === "colour" ? chosen.said : COLOUR;
  const colour = el("input", { type: "color", value, "aria-label": "Colour behind cut-outs" });
  const file = el("input", { type: "file", id: "export-picture", class: "unseen", accept: "image/*" });
  const choose = el("label", { for: "export-picture", class: "button" }, icon("folder"), "Choose a picture");
  const said = el("p", { role: "status" });
  let { picture } = chosen;

  const tell = (/** @type {string} */ text, /** @type {boolean} */ bad) => {
    said.className = bad ? "bad" : "soft";
    say(said, text);
  };
  const show = () => {
    colour.hidden = select.value !== "colour";
    const none = select.value !== "picture";
    file.hidden = choose.hidden = said.hidden = none;
    file.setCustomValidity(none || picture ? "" : NONE);
    tell(picture ? `“${picture.name}” covers the frame. What is too wide or too high is cut off.` : "", false);
  };
  const send = async () => {
    const [one] = file.files ?? [];
    if (!one) return;
    picture = null;
    file.setCustomValidity(WAIT);
    tell(WAIT, false);
    const sent = await api.background(project, one).catch((/** @type {Error} */ error) => error);
    if (file.files?.[0] !== one) return; // another one was chosen meanwhile
    if (sent instanceof Error) {
      file.value = "";
      show();
      return tell(sent.message, true);
    }
    picture = { name: one.name, said: sent.background };
    show();
  };
  select.addEventListener("change", show);
  file.addEventListener("change", send);
  show();
  const label = el("label", { for: "export-behind" }, "Behind cut-outs");
  return {
    rows: [el("div", { class: "inline" }, label, select, colour), el("div", { class: "row" }, file, choose), said],
    value: () => ({ picture, said: { blur: "blur", picture: picture?.said }[select.value] ?? colour.value }),
  };
}
