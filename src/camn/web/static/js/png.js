/**
 * 8-bit greyscale (or palette) PNG, also with alpha, read and written to the value: a canvas is no place for ids, as some browsers
 * change its pixels a little against fingerprinting.
 */

/** @typedef {{ids: Uint8Array, width: number, height: number}} IdMap row by row */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0;
const GREY_ALPHA = 4;
const PALETTE = 3;

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** @param {Uint8Array} bytes */
function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

/** @param {string} type @param {Uint8Array} data */
function chunk(type, data) {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** @param {Uint8Array<ArrayBuffer>} bytes @param {CompressionStream | DecompressionStream} through */
async function pipe(bytes, through) {
  const stream = new Blob([bytes]).stream().pipeThrough(through);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {IdMap} map @param {Uint8Array | null} [alpha] of each pixel, if there is to be any @returns {Promise<Blob>} */
export async function encode({ ids, width, height }, alpha = null) {
  const bytes = alpha ? 2 : 1;
  const rows = new Uint8Array((bytes * width + 1) * height); // each row begins with its filter, 0
  for (let y = 0, i = 0; y < height; y++) {
    let at = y * (bytes * width + 1) + 1;
    for (let x = 0; x < width; x++, i++, at += bytes) {
      rows[at] = ids[i];
      if (alpha) rows[at + 1] = alpha[i];
    }
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, alpha ? GREY_ALPHA : GREY, 0, 0, 0], 8);
  const data = await pipe(rows, new CompressionStream("deflate"));
  const parts = [
    new Uint8Array(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", data),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(parts, { type: "image/png" });
}

/** @param {Blob} blob @returns {Promise<string>} Base64 */
export async function toText(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** @param {string} text Base64 @returns {ArrayBuffer} */
export const fromText = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

/** @param {ArrayBuffer} buffer */
function split(buffer) {
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  if (SIGNATURE.some((value, i) => bytes[i] !== value)) throw new Error("The mask that the server sent is no PNG.");
  const data = [];
  let header = view;
  for (let at = 8; at + 12 <= bytes.length; at += view.getUint32(at) + 12) {
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === "IHDR") header = new DataView(buffer, at + 8, 13);
    if (type === "IDAT") data.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  return { header, data };
}

/** @param {ArrayBuffer} buffer @returns {Promise<IdMap & {alpha: Uint8Array | null}>} */
export async function decode(buffer) {
  const { header, data } = split(buffer);
  const [width, height, kind] = [header.getUint32(0), header.getUint32(4), header.getUint8(9)];
  if (header.getUint8(8) !== 8 || ![GREY, PALETTE, GREY_ALPHA].includes(kind) || header.getUint8(12)) {
    throw new Error("The mask that the server sent is no 8-bit greyscale PNG.");
  }
  const packed = new Uint8Array(await new Blob(data).arrayBuffer());
  const rows = await pipe(packed, new DecompressionStream("deflate"));
  const bytes = kind === GREY_ALPHA ? 2 : 1;
  const values = unfilter(rows, bytes * width, height, bytes);
  const plane = (/** @type {number} */ which) => values.filter((_, i) => i % bytes === which);
  return { ids: bytes === 1 ? values : plane(0), alpha: bytes === 1 ? null : plane(1), width, height };
}

/** @param {number} left @param {number} up @param {number} corner */
function paeth(left, up, corner) {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/**
 * Takes the rows' filters back (PNG specification, section 9).
 * @param {Uint8Array} rows @param {number} width of a row, in bytes @param {number} height
 * @param {number} bytes of a pixel
 */
function unfilter(rows, width, height, bytes) {
  const ids = new Uint8Array(width * height);
  let above = new Uint8Array(width);
  for (let y = 0; y < height; y++) {
    const from = rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1));
    const to = ids.subarray(y * width, (y + 1) * width);
    unfilterRow(rows[y * (width + 1)], bytes, from, above, to);
    above = to;
  }
  return ids;
}

/**
 * @param {number} filter @param {number} bytes of a pixel
 * @param {Uint8Array} from @param {Uint8Array} above @param {Uint8Array} to
 */
function unfilterRow(filter, bytes, from, above, to) {
  if (filter === 0) return to.set(from);
  for (let x = 0; x < to.length; x++) {
    const [left, corner] = x < bytes ? [0, 0] : [to[x - bytes], above[x - bytes]];
    if (filter === 1) to[x] = from[x] + left;
    else if (filter === 2) to[x] = from[x] + above[x];
    else if (filter === 3) to[x] = from[x] + ((left + above[x]) >> 1);
    else to[x] = from[x] + paeth(left, above[x], corner);
  }
}
