/** Fetches what is asked for, the newest wish first, keeps what was used last, and forgets the rest. */

const AT_ONCE = 4; // a browser opens six connections to one host; two are left for other things
const MOST_WAITING = 48;

/** @template T @typedef {{key: string, resolve: (value: T) => void, reject: (reason: unknown) => void}} Wish */

/** @template T */
export class Loader {
  /**
   * @param {(key: string, signal: AbortSignal) => Promise<T>} fetcher
   * @param {(value: T) => number} size in bytes
   * @param {number} most bytes that are kept
   * @param {(value: T) => void} [dropped] called with what is forgotten
   */
  constructor(fetcher, size, most, dropped = () => {}) {
    this.fetcher = fetcher;
    this.size = size;
    this.most = most;
    this.dropped = dropped;
    /** @type {Map<string, T>} oldest use first */
    this.kept = new Map();
    this.bytes = 0;
    /** @type {Map<string, Promise<T>>} */
    this.loading = new Map();
    /** @type {Wish<T>[]} the newest last */
    this.waiting = [];
    this.running = 0;
    this.ended = new AbortController();
  }

  /** @param {string} key @returns {T | undefined} */
  get(key) {
    const value = this.kept.get(key);
    if (value !== undefined) {
      this.kept.delete(key);
      this.kept.set(key, value);
    }
    return value;
  }

  /** Rejected with an AbortError if newer wishes push this one out. @param {string} key @returns {Promise<T>} */
  load(key) {
    const value = this.get(key);
    if (value !== undefined) return Promise.resolve(value);
    const known = this.loading.get(key);
    if (known) return known;
    const promise = new Promise((/** @type {(value: T) => void} */ resolve, reject) => {
      this.waiting.push({ key, resolve, reject });
    });
    this.loading.set(key, promise);
    promise.catch(() => {});
    if (this.waiting.length > MOST_WAITING) this.refuse(/** @type {Wish<T>} */ (this.waiting.shift()));
    this.next();
    return promise;
  }

  /** @param {Wish<T>} wish */
  refuse(wish) {
    this.loading.delete(wish.key);
    wish.reject(new DOMException("No longer wanted", "AbortError"));
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) this.run(/** @type {Wish<T>} */ (this.waiting.pop()));
  }

  /** @param {Wish<T>} wish */
  async run({ key, resolve, reject }) {
    this.running++;
    try {
      const value = await this.fetcher(key, this.ended.signal);
      this.ended.signal.throwIfAborted();
      this.keep(key, value);
      resolve(value);
    } catch (error) {
      reject(error);
    } finally {
      this.loading.delete(key);
      this.running--;
      this.next();
    }
  }

  /** @param {string} key @param {T} value */
  keep(key, value) {
    this.forget(key);
    this.kept.set(key, value);
    this.bytes += this.size(value);
    for (const old of this.kept.keys()) {
      if (this.bytes <= this.most || old === key) break;
      this.forget(old);
    }
  }

  /** @param {string} key */
  forget(key) {
    const value = this.kept.get(key);
    if (value === undefined) return;
    this.kept.delete(key);
    this.bytes -= this.size(value);
    this.dropped(value);
  }

  close() {
    this.ended.abort();
    this.waiting.splice(0).forEach((wish) => this.refuse(wish));
    [...this.kept.keys()].forEach((key) => this.forget(key));
  }
}
