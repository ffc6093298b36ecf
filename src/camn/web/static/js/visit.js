/** What this tab remembers from before a reload: how many steps of a project could be undone. */

/** @param {string} id of the project */
const key = (id) => `camn-undo-${id}`;

/** @param {string} id @param {number} steps */
export function remember(id, steps) {
  try {
    if (steps) sessionStorage.setItem(key(id), String(steps));
    else sessionStorage.removeItem(key(id));
  } catch {
    // no storage: nothing is said after a reload
  }
}

/** @param {string} id @returns {number} */
export function remembered(id) {
  try {
    return Number(sessionStorage.getItem(key(id)));
  } catch {
    return 0;
  }
}
