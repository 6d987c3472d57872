// Where a recording goes while it is made: never into memory as a whole.

/**
 * @typedef {object} RecordingStore
 * @property {number} limitBytes
 * @property {boolean} saved whether people chose the file, so that nothing is left to download
 * @property {number} size with what is not committed yet
 * @property {(data: Blob | Uint8Array<ArrayBuffer>, position?: number) => Promise<void>} write at the end unless told
 * @property {() => Promise<void>} commit what was written, which otherwise goes with the page, or with a write that
 *   fails; the browser copies the whole file at the next write
 * @property {() => Promise<File | null>} file what is committed, unless people have it
 * @property {() => Promise<void>} discard
 */

const FOLDER = "recordings";
const DISK_LIMIT_BYTES = 64 * 2 ** 30;
/** What is committed takes room twice while more is written. */
const SHARE_OF_QUOTA = 0.4;

/**
 * The file that people choose, or where they cannot, one that the browser keeps for this page.
 * @param {string} fileName
 * @param {string} mimeType
 * @returns {Promise<RecordingStore | null>} null: they changed their mind
 */
export async function openStore(fileName, mimeType) {
  return "showSaveFilePicker" in globalThis ? openChosen(fileName, mimeType) : openPrivate(fileName);
}

/** @param {string} fileName @param {string} mimeType @returns {Promise<RecordingStore | null>} */
async function openChosen(fileName, mimeType) {
  const accept = { [mimeType.split(";")[0]]: [fileName.slice(fileName.lastIndexOf("."))] };
  try {
    /** @type {FileSystemFileHandle} */
    const handle = await /** @type {any} */ (globalThis).showSaveFilePicker({ suggestedName: fileName, types: [{ accept }] });
    return storeIn(handle, { limitBytes: DISK_LIMIT_BYTES, saved: true, remove: async () => {} });
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return null;
    throw error;
  }
}

/** @param {string} fileName @returns {Promise<RecordingStore>} */
async function openPrivate(fileName) {
  const root = await navigator.storage.getDirectory();
  // What an earlier visit left behind was downloaded then, or nobody wanted it.
  await root.removeEntry(FOLDER, { recursive: true }).catch(() => {});
  const folder = await root.getDirectoryHandle(FOLDER, { create: true });
  const { quota = 2 ** 30, usage = 0 } = await navigator.storage.estimate();
  const handle = await folder.getFileHandle(fileName, { create: true });
  const limitBytes = Math.floor((quota - usage) * SHARE_OF_QUOTA);
  return storeIn(handle, { limitBytes, saved: false, remove: () => folder.removeEntry(fileName) });
}

/**
 * @param {FileSystemFileHandle} handle
 * @param {{ limitBytes: number, saved: boolean, remove: () => Promise<void> }} traits
 * @returns {Promise<RecordingStore>}
 */
async function storeIn(handle, { limitBytes, saved, remove }) {
  /** @type {FileSystemWritableFileStream | null} */
  let writer = await handle.createWritable();
  let size = 0;
  return {
    limitBytes,
    saved,
    get size() {
      return size;
    },
    write: async (data, position = size) => {
      writer ??= await handle.createWritable({ keepExistingData: true });
      await writer.write({ type: "write", position, data });
      size = Math.max(size, position + (data instanceof Blob ? data.size : data.byteLength));
    },
    commit: async () => {
      const written = writer;
      writer = null;
      await written?.close();
    },
    file: async () => (saved ? null : handle.getFile()),
    discard: async () => {
      await writer?.abort();
      await remove();
    },
  };
}
