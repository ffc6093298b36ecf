/** What the user drops or chooses becomes a project: sent to the server file by file, then decoded. */

import { api } from "./api.js";
import { size } from "./format.js";
import { note } from "./messages.js";

/** @import {Limits, Project} from "./types.js" */
/** @typedef {{name: string, files: File[]}} Source */

const FILM = /\.(mp4|m4v|mov|mkv|webm|avi|wmv|flv|mpe?g|m?ts|m2ts|mts|mxf|ogv|3gp|zip)$/i;
// The suffixes of src/camn/media/folder_files.py: of frames, of frames where there are no others, of pictures not read.
const IMAGE = "avif bmp jp2 jpeg jpg pgm png ppm tif tiff webp".split(" ");
const RARE = "apng avifs bw dib gif j2k jfif jpe jpf jpx mpo pbm pcx pnm qoi ras rgb sgi tga".split(" ");
const UNREAD = (
  "3fr arw bpg cin cr2 cr3 crw czi dcm dcr dds dng dpx erf exr fit fits flif hdp hdr heic heics heif " +
  "hif iiq jxl jxr kdc lif mha mrw nd2 nef nii nrrd nrw orf pef pfm psb psd raf rw2 rwl sr2 srf srw wdp " +
  "x3f"
).split(" ");
const AT_ONCE = 3;

/** @param {File[]} files @param {string} name of the folder, if it is one @returns {Source} */
export function sourceOf(files, name) {
  const seen = files.filter((file) => !file.name.startsWith("."));
  const of = (/** @type {string[]} */ kinds) => seen.filter((file) => kinds.includes(suffix(file.name)));
  const images = of(IMAGE).length ? of(IMAGE) : of(RARE);
  const stems = new Set(images.map((file) => stem(file.name)));
  const lost = of([...RARE, ...UNREAD]).filter((file) => !stems.has(stem(file.name)));
  if (!seen.length) throw new Error("There are no files in it. Drop a video, a zip of images, or a folder of images.");
  const film = seen.find((file) => FILM.test(file.name));
  if (images.length && film)
    throw new Error(`These are images and “${film.name}” together. Drop one video, one zip, or images alone.`);
  if (images.length) {
    const others = seen.filter((file) => ![...images, ...lost].includes(file) && !stems.has(stem(file.name)));
    const some = others.slice(0, 3).map((file) => `“${file.name}”`);
    if (others.length) note(`Left out, as no images: ${some.join(", ")}${others.length > 3 ? ", …" : ""}.`);
    return { name: name || stem(images[0].name), files: [...images, ...lost] }; // of those lost the server says why
  }
  if (lost.length > 1) throw new Error(`Pictures such as “${lost[0].name}” are not read. Convert them to PNG or JPEG.`);
  if (seen.length > 1)
    throw new Error("These are several files that are no images. Drop one video or one zip at a time.");
  return { name: stem(seen[0].name), files: seen };
}

/** @param {string} name */
const suffix = (name) => /\.[^.]+$/.exec(name)?.[0].slice(1).toLowerCase() ?? "";

/** @param {string} name */
const stem = (name) => name.replace(/\.[^.]+$/, "") || name;

/** A name as the server takes it. @param {string} name @param {number} longest */
const plainName = (name, longest) =>
  name
    .replace(/[\u0000-\u001f\u007f/\\]+/g, " ")
    .trim()
    .slice(0, longest) || "Untitled";

/**
 * Files of what was dropped; of a folder, those that lie in it.
 * @param {DataTransfer} data @returns {Promise<Source>}
 */
export async function dropped(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const folder = entries.find((entry) => entry.isDirectory);
  if (!folder) return sourceOf([...data.files], "");
  if (entries.length > 1) throw new Error("Drop one folder at a time.");
  return sourceOf(await filesOf(/** @type {FileSystemDirectoryEntry} */ (folder)), folder.name);
}

/** Of a folder chosen with a dialog: not of the folders in it. @param {File[]} files @returns {Source} */
export function chosenFolder(files) {
  const here = files.filter((file) => file.webkitRelativePath.split("/").length <= 2);
  return sourceOf(here.length ? here : files, files[0]?.webkitRelativePath.split("/")[0] ?? "");
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<File[]>} */
async function filesOf(folder) {
  const reader = folder.createReader();
  const files = [];
  for (;;) {
    const entries = await new Promise((/** @type {(found: FileSystemEntry[]) => void} */ done, failed) =>
      reader.readEntries(done, failed),
    );
    if (!entries.length) return files;
    for (const entry of entries) {
      if (!entry.isFile) continue;
      files.push(
        await new Promise((/** @type {(file: File) => void} */ done, failed) => {
          /** @type {FileSystemFileEntry} */ (entry).file(done, failed);
        }),
      );
    }
  }
}

export class Upload {
  /** @param {Source} source @param {Limits} [limits] of the server, which has the last word */
  constructor(source, limits) {
    this.name = plainName(source.name, limits?.name_length ?? 120);
    this.files = source.files;
    this.total = source.files.reduce((sum, file) => sum + file.size, 0);
    const most = limits?.file_bytes ?? Infinity;
    if (this.total > most) throw new Error(`This is ${size(this.total)}; at most ${size(most)} are taken.`);
    this.finished = 0; // bytes of whole files
    /** @type {Map<File, number>} */
    this.partial = new Map();
    this.controller = new AbortController();
  }

  /** 0..1 */
  get part() {
    const sent = [...this.partial.values()].reduce((sum, bytes) => sum + bytes, this.finished);
    return this.total ? Math.min(1, sent / this.total) : 0;
  }

  cancel() {
    this.controller.abort();
  }

  /**
   * A project that came to nothing is taken away again.
   * @param {() => void} progress @param {(id: string) => void} begun @returns {Promise<Project>} state decoding
   */
  async run(progress, begun) {
    const project = await api.create(this.name);
    begun(project.id);
    try {
      const left = [...this.files];
      const workers = Array.from({ length: AT_ONCE }, async () => {
        for (let file = left.shift(); file; file = left.shift()) await this.send(project.id, file, progress);
      });
      await Promise.all(workers);
      return await api.decode(project.id);
    } catch (error) {
      this.cancel();
      await api.remove(project.id).catch(() => {});
      throw error;
    }
  }

  /** @param {string} id @param {File} file @param {() => void} progress */
  async send(id, file, progress) {
    const told = (/** @type {number} */ bytes) => {
      this.partial.set(file, bytes);
      progress();
    };
    await api.upload(id, file.name, file, told, this.controller.signal);
    this.partial.delete(file);
    this.finished += file.size;
    progress();
  }
}
