/** The routes of docs/reference/web-api.md, one function each. Every failure is an ApiError with a sentence for the user. */

/**
 * @import {Back} from "./changes.js"
 * @import {Background, Changed, Clicks, Confidence, ClearKind, Detail, Export, Found, Job} from "./types.js"
 * @import {Loaded, Obj, Project, Propagate, Server} from "./types.js"
 */

const SILENT = "The server does not answer. Is “camn serve” still running?";

export class ApiError extends Error {
  /** @param {string} code @param {string} message @param {number} status 0 if there was no answer */
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** @param {number} status @param {string} text the body @returns {ApiError} */
function failure(status, text) {
  try {
    const { code, message } = JSON.parse(text).error;
    return new ApiError(code, message, status);
  } catch {
    return new ApiError("internal", `The server answered with status ${status}.`, status);
  }
}

/**
 * @param {string} method @param {string} path
 * @param {{json?: unknown, body?: Blob, signal?: AbortSignal}} [options]
 * @returns {Promise<Response>}
 */
async function send(method, path, { json, body, signal } = {}) {
  const headers = json === undefined ? undefined : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: json === undefined ? body : JSON.stringify(json) });
  } catch (error) {
    throw signal?.aborted ? error : new ApiError("silent", SILENT, 0);
  }
  if (!response.ok) throw failure(response.status, await response.text());
  return response;
}

/**
 * @param {string} method @param {string} path @param {{json?: unknown, body?: Blob, signal?: AbortSignal}} [options]
 */
const ask = async (method, path, options) => (await send(method, path, options)).json();

/** @param {string} id @param {string} [rest] */
const of = (id, rest = "") => `/api/projects/${encodeURIComponent(id)}${rest}`;

/**
 * Sends a file raw; XMLHttpRequest as fetch tells no progress.
 * @param {string} path @param {Blob} file @param {(bytes: number) => void} progress @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function sendFile(path, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => (request.status < 300 ? resolve() : reject(failure(request.status, request.responseText)));
    request.onerror = () => reject(new ApiError("silent", SILENT, 0));
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

export const api = {
  /** @returns {Promise<Server>} */
  server: () => ask("GET", "/api/server"),
  /** @returns {Promise<Project[]>} */
  projects: () => ask("GET", "/api/projects"),
  /** @returns {Promise<Job[]>} */
  jobs: () => ask("GET", "/api/jobs"),

  /** @param {string} name @returns {Promise<Project>} */
  create: (name) => ask("POST", "/api/projects", { json: { name } }),
  /** A project of the clip that comes with the package. @returns {Promise<Project>} */
  sample: () => ask("POST", "/api/sample"),
  /**
   * @param {string} id @param {string} name @param {Blob} file @param {(b: number) => void} progress
   * @param {AbortSignal} signal
   */
  upload: (id, name, file, progress, signal) =>
    sendFile(of(id, `/upload?name=${encodeURIComponent(name)}`), file, progress, signal),
  /** @param {string} id @returns {Promise<Project>} */
  decode: (id) => ask("POST", of(id, "/decode")),
  /** @param {string} id @returns {Promise<Detail>} */
  detail: (id) => ask("GET", of(id)),
  /** @param {string} id @param {string} name @returns {Promise<Project>} */
  rename: (id, name) => ask("PATCH", of(id), { json: { name } }),
  /** @param {string} id */
  remove: (id) => send("DELETE", of(id)),

  /** @param {string} id @param {number} frame @param {"display" | "full"} size */
  frameUrl: (id, frame, size) => of(id, `/frames/${frame}?size=${size}`),
  /** @param {string} id @param {number} frame @param {"display" | "full"} size @param {AbortSignal} signal */
  frame: async (id, frame, size, signal) => (await send("GET", api.frameUrl(id, frame, size), { signal })).blob(),

  /** @param {string} id @param {{name?: string, colour?: string}} wish @returns {Promise<Obj>} */
  addObject: (id, wish) => ask("POST", of(id, "/objects"), { json: wish }),
  /** @param {string} id @param {Obj} object @returns {Promise<Obj>} */
  putObject: (id, { id: number, name, colour }) => ask("PUT", of(id, `/objects/${number}`), { json: { name, colour } }),
  /** @param {string} id @param {number} object */
  removeObject: (id, object) => send("DELETE", of(id, `/objects/${object}`)),

  /**
   * The PNG of a shown mask, with the pixels of deleted objects.
   * @param {string} id @param {number} frame @param {AbortSignal} [signal]
   */
  mask: async (id, frame, signal) => (await send("GET", of(id, `/masks/${frame}?kind=all`), { signal })).arrayBuffer(),
  /**
   * @param {string} id @param {number} frame @param {Blob} png grey: new ids; alpha: those that they replace
   * @param {{x: number, y: number}} at where its top left lies @param {Back | null} back
   * @returns {Promise<Changed>}
   */
  changeMask: (id, frame, png, { x, y }, back) => {
    const query = new URLSearchParams({ x: String(x), y: String(y) });
    if (back) {
      query.set("undo", "true");
      query.set("given", String(back.to.given));
      for (const one of back.to.absent) query.append("absent", String(one));
      for (const one of back.from.absent) query.append("said", String(one));
    }
    return ask("PATCH", of(id, `/masks/${frame}?${query}`), { body: png });
  },
  /** @param {string} id @param {number} frame @returns {Promise<Changed>} */
  removeGiven: (id, frame) => ask("DELETE", of(id, `/masks/${frame}?kind=given`)),
  /** @param {string} id @param {ClearKind} kind @param {number} first @param {number} last */
  clearMasks: (id, kind, first, last) => send("DELETE", of(id, `/masks?kind=${kind}&first=${first}&last=${last}`)),
  /**
   * @param {string} id @param {number} frame @param {File} file
   * @param {{resize?: boolean, first?: number}} how first: the number of the video's first frame in the file
   * @returns {Promise<Loaded>}
   */
  loadMask: (id, frame, file, { resize = false, first }) => {
    const query = new URLSearchParams({ name: file.name, resize: String(resize) });
    if (first !== undefined) query.set("first_frame", String(first));
    return ask("POST", of(id, `/masks/${frame}/load?${query}`), { body: file });
  },
  /** @param {string} id @param {number} frame @param {AbortSignal} signal @returns {Promise<{ready: boolean}>} */
  look: (id, frame, signal) => ask("POST", of(id, `/frames/${frame}/look`), { signal }),
  /**
   * @param {string} id @param {number} frame @param {Clicks} wish @param {AbortSignal} signal
   * @returns {Promise<Found>}
   */
  clicks: (id, frame, wish, signal) => ask("POST", of(id, `/frames/${frame}/clicks`), { json: wish, signal }),
  /** @param {string} id @returns {Promise<Confidence>} */
  confidence: (id) => ask("GET", of(id, "/confidence")),

  /** @param {string} id @param {Propagate} wish @returns {Promise<Job>} */
  propagate: (id, wish) => ask("POST", of(id, "/propagate"), { json: wish }),
  /** A picture to lie behind cut-outs. @param {string} id @param {File} file @returns {Promise<Background>} */
  background: (id, file) =>
    ask("POST", of(id, `/backgrounds?name=${encodeURIComponent(file.name)}`), { body: file }),
  /** @param {string} id @param {Export} wish @returns {Promise<Job>} */
  export: (id, wish) => ask("POST", of(id, "/exports"), { json: wish }),
  /** @param {string} job @returns {Promise<Job>} */
  cancel: (job) => ask("DELETE", `/api/jobs/${encodeURIComponent(job)}`),
};
