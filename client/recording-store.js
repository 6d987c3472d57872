// Where a recording goes while it is made: never into memory as a whole.

/**
 * @typedef {object} RecordingStore
 * @property {number} limitBytes
 * @property {boolean} saved whether people chose the file, so that nothing is left to download
 * @property {(data: Blob | Uint8Array<ArrayBuffer>, position?: number) => Promise<void>} write at the end unless told
 * @property {() => Promise<File | null>} close
 * @property {() => Promise<void>} discard instead of close(): nothing of it is kept
 */

const FOLDER = "recordings";
const DISK_LIMIT_BYTES = 64 * 2 ** 30;
const SHARE_OF_QUOTA = 0.8;

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
  const file = await handle.createWritable();
  let end = 0;
  return {
    limitBytes,
    saved,
    write: async (data, position = end) => {
      await file.write({ type: "write", position, data });
      end = Math.max(end, position + (data instanceof Blob ? data.size : data.byteLength));
    },
    close: async () => {
      await file.close();
      return saved ? null : handle.getFile();
    },
    discard: async () => {
      await file.abort();
      await remove();
    },
  };
}
