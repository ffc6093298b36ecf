/** Short ways to make elements. */

import { icon } from "./icons.js";

/** @import {IconName} from "./icons.js" */
/** @typedef {Node | string | null | false} Child */
/**
 * @typedef {string | number | boolean | null | ((event: any) => void)} Value
 * @typedef {{[name: string]: Value}} Props on...: a listener; null, false: left out
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Props} [props] @param {Child[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

/**
 * @param {IconName} name @param {string} label what it does @param {() => void} onclick
 * @param {{text?: boolean, key?: string, class?: string}} [options] text: the label is shown; key: its short cut
 */
export function button(name, label, onclick, { text, key, class: kind = "" } = {}) {
  const title = key ? `${label} (${key})` : label;
  const props = {
    type: "button",
    class: `button ${kind}`,
    title,
    onclick,
    "aria-label": text ? null : label,
    "aria-keyshortcuts": key ?? null,
  };
  return el("button", props, icon(name), text ? el("span", {}, label) : "");
}

/** Sets text only where it differs: no layout for nothing. @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @template {Element} T @param {string} selector @param {new () => T} type @returns {T} */
export function find(selector, type) {
  const element = document.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`The page has no ${selector}.`);
  return element;
}
