// A browser's private file system in memory: what is written is in the file once the writer is closed, as it is in browsers.

class FakeWritable {
  state = "open";
  #handle;
  #bytes;

  /** @param {FakeFileHandle} handle @param {boolean} keepExistingData */
  constructor(handle, keepExistingData) {
    this.#handle = handle;
    this.#bytes = keepExistingData ? handle.bytes : new Uint8Array();
  }

  /** @param {{ position: number, data: Blob | Uint8Array }} chunk */
  async write({ position, data }) {
    if (this.state !== "open") throw new TypeError(`the stream is ${this.state}`);
    if (this.#handle.disk.full) {
      this.state = "errored";
      throw new DOMException("the disk is full", "QuotaExceededError");
    }
    const added = data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : data;
    const bytes = new Uint8Array(Math.max(this.#bytes.length, position + added.length));
    bytes.set(this.#bytes);
    bytes.set(added, position);
    this.#bytes = bytes;
  }

  async close() {
    if (this.state !== "open") throw new TypeError(`the stream is ${this.state}`);
    this.state = "closed";
    this.#handle.bytes = this.#bytes;
    this.#handle.changedAt = Date.now();
  }

  async abort() {
    this.state = "aborted";
  }
}

class FakeFileHandle {
  kind = "file";
  bytes = new Uint8Array();
  changedAt = Date.now();
  /** @type {FakeWritable | null} */
  writable = null;

  /** @param {string} name @param {{ full: boolean }} disk */
  constructor(name, disk) {
    this.name = name;
    this.disk = disk;
  }

  async createWritable({ keepExistingData = false } = {}) {
    return (this.writable = new FakeWritable(this, keepExistingData));
  }

  async getFile() {
    return new File([this.bytes], this.name, { lastModified: this.changedAt });
  }
}

class FakeFolder {
  kind = "directory";
  /** @type {Map<string, any>} */
  children = new Map();

  /** @param {{ full: boolean }} disk */
  constructor(disk) {
    this.disk = disk;
  }

  /** @param {string} name */
  async getDirectoryHandle(name) {
    if (!this.children.has(name)) this.children.set(name, new FakeFolder(this.disk));
    return this.children.get(name);
  }

  /** @param {string} name */
  async getFileHandle(name) {
    if (!this.children.has(name)) this.children.set(name, new FakeFileHandle(name, this.disk));
    return this.children.get(name);
  }

  /** @param {string} name */
  async removeEntry(name) {
    if (!this.children.delete(name)) throw new DOMException("no such entry", "NotFoundError");
  }

  async *values() {
    yield* [...this.children.values()];
  }
}

/** Stands in for the browser until the process ends. */
export function fakeFiles() {
  const disk = { full: false };
  const root = new FakeFolder(disk);
  /** @type {Set<string>} */
  const taken = new Set();
  /** @type {{ name: string, hold: () => Promise<unknown> }[]} */
  let waiting = [];
  const grant = () => {
    const asked = waiting;
    waiting = [];
    for (const request of asked) {
      if (taken.has(request.name)) waiting.push(request);
      else request.hold();
      taken.add(request.name);
    }
  };
  const locks = {
    request: async (/** @type {string} */ name, /** @type {() => Promise<unknown>} */ hold) => {
      waiting.push({ name, hold });
      grant();
    },
  };
  const storage = { getDirectory: async () => root, estimate: async () => ({ quota: 1_000, usage: 0 }) };
  Object.defineProperty(globalThis, "navigator", { value: { storage, locks }, configurable: true, writable: true });
  Object.assign(globalThis, { FileSystemFileHandle: FakeFileHandle });
  const handle = (/** @type {string} */ name) => new FakeFileHandle(name, disk);
  const recordings = () => [...(root.children.get("recordings")?.children.values() ?? [])];
  /** The page is gone, and its locks with it. */
  const leavePage = () => {
    taken.clear();
    grant();
  };
  return { disk, handle, recordings, leavePage };
}
