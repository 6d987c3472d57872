// What a peer reads and changes in session descriptions and candidates.

/** @param {string} sdp @param {string} fragment */
export function hasFragment(sdp, fragment) {
  return sdp.split(/\r?\n/).includes(`a=ice-ufrag:${fragment}`);
}

/** @param {RTCIceCandidateInit | null} candidate */
export function isRelay(candidate) {
  return / typ relay( |$)/.test(candidate?.candidate ?? "");
}

/** The same, but as if all sound and pictures came from other sources (SSRC). @param {string} sdp */
export function fromOtherSources(sdp) {
  return sdp.split(/^(?=m=)/m).map((section, index) => {
    if (!/^m=(audio|video)/.test(section)) return section;
    return `${section.replace(/^a=ssrc.*\s*/gm, "").trimEnd()}\r\na=ssrc:${index} cname:other\r\n`;
  }).join("");
}
