/** Numbers as people read them. */

/** @param {number} seconds @returns {string} 1:05 */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** @param {number} frame @param {number} fps @returns {string} 0:01.24, in hundredths */
export function timecode(frame, fps) {
  const seconds = fps > 0 ? frame / fps : 0;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(Math.floor(seconds * 100 - minutes * 6000) / 100).toFixed(2).padStart(5, "0")}`;
}

/** @param {number} bytes */
export function size(bytes) {
  for (const [unit, power] of /** @type {const} */ ([
    ["GB", 30],
    ["MB", 20],
    ["KB", 10],
  ])) {
    if (bytes >= 2 ** power) return `${(bytes / 2 ** power).toPrecision(3)} ${unit}`;
  }
  return `${bytes} bytes`;
}

/** @param {number} number @param {string} thing @param {string} [more] what several have at their end */
export const count = (number, thing, more = "s") => `${number} ${thing}${number === 1 ? "" : more}`;

/** Frames are numbered from 1 for people. @param {number} first @param {number} last */
export const frames = (first, last) => (first === last ? `frame ${first + 1}` : `frames ${first + 1} to ${last + 1}`);

/** @param {number} rate frames/s */
export const speed = (rate) => `${rate >= 10 ? Math.round(rate) : rate.toFixed(1)} frames/s`;
