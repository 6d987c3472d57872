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
 *
 * @typedef {{ fileName: string, open: () => Promise<File>, discard: () => Promise<void> }} KeptRecording
 */

const FOLDER = "recordings";
/** What Chromium has written and not committed lies beside its file, and is listed with it. */
const UNCOMMITTED = ".crswap";
const KEPT_MS = 24 * 60 * 60 * 1_000;
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
  const folder = await privateFolder();
  const { quota = 2 ** 30, usage = 0 } = await navigator.storage.estimate();
  const limitBytes = Math.floor((quota - usage) * SHARE_OF_QUOTA);
  // Each has its own, also of those that begin in the same minute, or in another tab.
  const entry = `${crypto.randomUUID()} ${fileName}`;
  await claim(entry);
  const handle = await folder.getFileHandle(entry, { create: true });
  return storeIn(handle, { limitBytes, saved: false, remove: () => remove(folder, entry) });
}

/**
 * Tells of each private recording whose page is gone, with what was committed; of those that still have one, once it is
 * gone. They are kept for a day.
 * @param {(recording: KeptRecording) => void} tell
 */
export async function findLeftBehind(tell) {
  const folder = await privateFolder();
  for await (const handle of folder.values()) {
    if (handle.kind !== "file" || handle.name.endsWith(UNCOMMITTED)) continue;
    // Not waited for: a page may last, even the one that was here just before. One that fails is another visit's.
    take(folder, handle).then((recording) => recording && tell(recording), () => {});
  }
}

/** @param {FileSystemDirectoryHandle} folder @param {FileSystemFileHandle} handle @returns {Promise<KeptRecording | null>} */
async function take(folder, handle) {
  await claim(handle.name);
  const file = await handle.getFile();
  const discard = () => remove(folder, handle.name);
  const fileName = handle.name.slice(handle.name.indexOf(" ") + 1);
  if (file.size > 0 && Date.now() - file.lastModified < KEPT_MS) return { fileName, open: () => handle.getFile(), discard };
  // This too may fail: the browser may still be committing for the page that went.
  await discard();
  return null;
}

/** @param {FileSystemDirectoryHandle} folder @param {string} entry */
async function remove(folder, entry) {
  await folder.removeEntry(entry);
  // Only a browser that crashed left one.
  await folder.removeEntry(entry + UNCOMMITTED).catch(() => {});
}

async function privateFolder() {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(FOLDER, { create: true });
}

/** Waits until no other page has it; then it is this one's as long as the page lives. @param {string} entry @returns {Promise<void>} */
function claim(entry) {
  return new Promise((resolve, reject) => {
    const hold = () => {
      resolve();
      return new Promise(() => {});
    };
    navigator.locks.request(`${FOLDER}/${entry}`, hold).catch(reject);
  });
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
