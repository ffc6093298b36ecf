/** What is known of each frame's mask: whose it is, how sure the network was, where it lost an object. */

/** @import {ClearedEvent, Confidence, Detail, Mask} from "./types.js" */
/** @typedef {"lost" | "doubtful"} Trouble */
/** @typedef {{kind: Trouble, first: number, last: number}} Stretch */

export const DOUBTFUL = 0.8;
const NONE = -1;

/** Of one object, grown as frames come in. */
class Sureness {
  constructor() {
    this.confidence = new Float32Array(0); // NONE without a mask
    this.lost = new Uint8Array(0);
  }

  /** @param {number} frame @param {number} confidence @param {boolean} lost */
  put(frame, confidence, lost) {
    if (frame >= this.lost.length) this.grow(Math.max(256, 2 * frame));
    this.confidence[frame] = confidence;
    this.lost[frame] = lost ? 1 : 0;
  }

  /** @param {number} length */
  grow(length) {
    const [confidence, lost] = [new Float32Array(length).fill(NONE), new Uint8Array(length)];
    confidence.set(this.confidence);
    lost.set(this.lost);
    Object.assign(this, { confidence, lost });
  }
}

export class Track {
  constructor() {
    /** @type {Set<number>} frames with a mask of the user's */
    this.given = new Set();
    /** @type {Set<number>} frames with a mask of the network's */
    this.predicted = new Set();
    /** @type {Map<number, Sureness>} */
    this.objects = new Map();
  }

  /** @param {Detail} detail @param {Confidence} confidence */
  fill(detail, confidence) {
    this.given = new Set(detail.given);
    this.predicted = new Set();
    for (const [first, last] of detail.predicted) for (let n = first; n <= last; n++) this.predicted.add(n);
    this.objects = new Map();
    for (const [id, strip] of Object.entries(confidence.objects)) {
      const sureness = this.of(Number(id));
      strip.confidence.forEach((value, n) => sureness.put(n, value ?? NONE, false));
      for (const [first, last] of strip.lost) for (let n = first; n <= last; n++) sureness.lost[n] = 1;
    }
  }

  /** @param {number} id @returns {Sureness} */
  of(id) {
    const known = this.objects.get(id) ?? new Sureness();
    this.objects.set(id, known);
    return known;
  }

  /** @param {Mask} mask */
  put({ frame, given, predicted, confidence, lost }) {
    given ? this.given.add(frame) : this.given.delete(frame);
    predicted ? this.predicted.add(frame) : this.predicted.delete(frame);
    for (const sureness of this.objects.values()) sureness.put(frame, NONE, false);
    for (const [id, value] of Object.entries(confidence))
      this.of(Number(id)).put(frame, value, lost.includes(Number(id)));
    for (const id of lost) if (!(id in confidence)) this.of(id).put(frame, 0, true);
  }

  /** @param {Pick<ClearedEvent, "first" | "last" | "kind">} cleared */
  clear({ first, last, kind }) {
    for (const [name, frames] of /** @type {const} */ ([
      ["given", this.given],
      ["predicted", this.predicted],
    ])) {
      if (kind !== name && kind !== "both") continue;
      for (const n of [...frames]) if (n >= first && n <= last) frames.delete(n);
    }
    for (const sureness of this.objects.values()) {
      for (let n = first; n <= Math.min(last, sureness.lost.length - 1); n++) {
        if (!this.has(n)) sureness.put(n, NONE, false);
      }
    }
  }

  /** Has the frame a mask? @param {number} frame */
  has(frame) {
    return this.given.has(frame) || this.predicted.has(frame);
  }

  /** Does a mask say anything of it? @param {number} id */
  mentions(id) {
    const known = this.objects.get(id);
    return known !== undefined && (known.confidence.some((value) => value !== NONE) || known.lost.includes(1));
  }

  /** 0..1, or null without a mask. @param {number} id @param {number} frame */
  confidence(id, frame) {
    const value = this.objects.get(id)?.confidence[frame] ?? NONE;
    return value === NONE ? null : value;
  }

  /** @param {number} id @param {number} frame @returns {Trouble | null} */
  trouble(id, frame) {
    const sureness = this.objects.get(id);
    if (!sureness || frame >= sureness.lost.length) return null;
    if (sureness.lost[frame]) return "lost";
    const value = sureness.confidence[frame];
    return value !== NONE && value < DOUBTFUL ? "doubtful" : null;
  }

  /** @param {number} id @param {number} count frames @returns {Stretch[]} */
  stretches(id, count) {
    /** @type {Stretch[]} */
    const found = [];
    for (let n = 0; n < Math.min(count, this.objects.get(id)?.lost.length ?? 0); n++) {
      const kind = this.trouble(id, n);
      const last = found.at(-1);
      if (kind && last?.kind === kind && last.last === n - 1) last.last = n;
      else if (kind) found.push({ kind, first: n, last: n });
    }
    return found;
  }
}
