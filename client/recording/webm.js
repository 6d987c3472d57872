// A WebM file that a MediaRecorder writes does not say how long it is, and players then cannot tell
// either. Its header gets a Duration here, in the unit that such files use: milliseconds.

const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const DURATION = 0x4489;
/** Id, size (8 bytes follow), and a number yet to be written. */
const EMPTY_DURATION = new Uint8Array([0x44, 0x89, 0x88, 0, 0, 0, 0, 0, 0, 0, 0]);

/**
 * @param {Uint8Array<ArrayBuffer>} start the file's first bytes, with the whole Info element
 * @returns {{ bytes: Uint8Array<ArrayBuffer>, position: number | null }} where the duration goes;
 *   null if this file is of another make: it then stays as it is
 */
export function withDuration(start) {
  const segment = find(start, SEGMENT, 0, start.length);
  const info = segment && find(start, INFO, segment.data, start.length);
  if (!info || info.end > start.length) return { bytes: start, position: null };
  const known = find(start, DURATION, info.data, info.end);
  if (known) return { bytes: start, position: known.end - known.data === 8 ? known.data : null };

  const size = sizeOf(info.end - info.data + EMPTY_DURATION.length);
  const bytes = new Uint8Array(start.length - (info.data - info.size) + size.length + EMPTY_DURATION.length);
  const parts = [
    start.subarray(0, info.size), size, start.subarray(info.data, info.end), EMPTY_DURATION, start.subarray(info.end),
  ];
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return { bytes, position: info.end - info.data + info.size + size.length + 3 };
}

/** @param {number} durationMs @returns {Uint8Array<ArrayBuffer>} */
export function durationAt(durationMs) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, durationMs);
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} id
 * @param {number} from
 * @param {number} to
 * @returns {{ size: number, data: number, end: number } | null} where its size and its data are
 */
function find(bytes, id, from, to) {
  for (let position = from; position < to; ) {
    const idLength = Math.clz32(bytes[position]) - 23;
    const size = position + idLength;
    const sizeLength = Math.clz32(bytes[size] ?? 0) - 23;
    const data = size + sizeLength;
    if (idLength > 4 || sizeLength > 8 || data > to) return null;
    const found = number(bytes.subarray(position, size));
    const first = bytes[size] & (0xff >> sizeLength);
    const rest = bytes.subarray(size + 1, data);
    // All ones: of unknown length, as everything that is still being written.
    const unknown = first === 0xff >> sizeLength && rest.every((byte) => byte === 0xff);
    const end = unknown ? to : data + first * 256 ** rest.length + number(rest);
    if (found === id) return { size, data, end };
    position = end;
  }
  return null;
}

/** @param {Uint8Array} bytes */
function number(bytes) {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/** An element's size in four bytes. @param {number} value */
function sizeOf(value) {
  return new Uint8Array([0x10 | (value >>> 24), value >>> 16, value >>> 8, value]);
}
