/** Something that happens, and those who want to know. */

/** @template T */
export class Signal {
  constructor() {
    /** @type {Set<(value: T) => void>} */
    this.listeners = new Set();
  }

  /** @param {(value: T) => void} listener */
  watch(listener) {
    this.listeners.add(listener);
  }

  /** @param {T} value */
  tell(value) {
    this.listeners.forEach((listener) => listener(value));
  }
}

/**
 * Calls `work` once in the next animation frame, however often it is asked.
 * @param {() => void} work @returns {() => void}
 */
export function onFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
