// The microphone and camera of this device.

/** @type {{ constraints: MediaStreamConstraints, lacking: string }[]} */
const ATTEMPTS = [
  { constraints: { audio: true, video: true }, lacking: "" },
  { constraints: { audio: true }, lacking: "without camera" },
  { constraints: { video: true }, lacking: "without microphone" },
];

/** @type {Record<string, string>} */
const PROBLEMS = {
  NotAllowedError: "the browser does not allow it for this page",
  NotFoundError: "none was found",
  NotReadableError: "another program is using it",
};

/**
 * Opens what there is. Nobody is kept out of a room for want of a camera: what is missing
 * becomes a text for people, and `stream` is null if that is everything.
 * @returns {Promise<{ stream: MediaStream | null, problem: string }>}
 */
export async function openMedia() {
  if (!navigator.mediaDevices) {
    return { stream: null, problem: "Joined without camera and microphone: that needs an https:// address." };
  }
  let reason = "";
  for (const { constraints, lacking } of ATTEMPTS) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia(constraints);
      return { stream, problem: lacking && `Joined ${lacking}: ${reason}.` };
    } catch (error) {
      reason ||= reasonOf(error);
    }
  }
  return { stream: null, problem: `Joined without camera and microphone: ${reason}.` };
}

/** @param {MediaStream | null} stream */
export function closeMedia(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** @param {unknown} error */
function reasonOf(error) {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  return PROBLEMS[name] ?? (message || name);
}
