// Who one is, as the server is told over each link: by a name, and by a token that says it for somebody it believes.

/** @typedef {import("./signaling.js").SignalingLink} SignalingLink */

export class Identity {
  #link;
  /** Kept nowhere else. @type {string | undefined} */
  token;

  /** @param {SignalingLink} link */
  constructor(link) {
    this.#link = link;
  }

  /**
   * Rejects as link.request() does.
   * @param {{ displayName: string } | null} visit
   * @param {() => boolean} isWanted
   */
  register(visit, isWanted) {
    const token = () => this.token;
    // There may be another name, or token, by the time that it has to be asked again.
    const request = {
      type: /** @type {const} */ ("register"),
      get displayName() { return visit?.displayName || undefined; },
      get token() { return token(); },
    };
    return this.#link.request(request, undefined, isWanted);
  }
}
