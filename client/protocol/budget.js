// How much each peer is sent. In a mesh every picture is encoded and uploaded once per peer, so what
// one connection may take shrinks as their number grows.

/**
 * @typedef {object} Budget of one video track to one peer
 * @property {number} maxBitrate bits per second
 * @property {number} maxFramerate
 * @property {number} maxHeight of the picture; a camera that gives more is scaled down
 */

/** @type {{ peers: number, camera: Budget, screen: Budget }[]} `peers`: up to so many */
const STEPS = [
  { peers: 1, camera: budget(2_000_000, 30, 720), screen: budget(3_000_000, 15, 2160) },
  { peers: 2, camera: budget(1_000_000, 30, 540), screen: budget(2_000_000, 15, 1440) },
  { peers: 3, camera: budget(700_000, 24, 480), screen: budget(1_500_000, 10, 1080) },
  { peers: 5, camera: budget(350_000, 20, 360), screen: budget(800_000, 8, 1080) },
  { peers: 8, camera: budget(200_000, 15, 270), screen: budget(500_000, 5, 1080) },
  { peers: Infinity, camera: budget(120_000, 12, 180), screen: budget(300_000, 5, 720) },
];

/** @param {number} peerCount */
export function budgetFor(peerCount) {
  const step = STEPS.find(({ peers }) => peerCount <= peers) ?? STEPS[STEPS.length - 1];
  return { camera: step.camera, screen: step.screen };
}

/**
 * Sets what the sender's encoder may use. A sender that was not negotiated yet takes it later: call again.
 * @param {RTCRtpSender} sender
 * @param {Budget} budget
 */
export async function applyBudget(sender, { maxBitrate, maxFramerate, maxHeight }) {
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings ?? [];
  if (!encoding) return;
  const height = sender.track?.getSettings().height ?? 0;
  const scale = Math.max(1, height / maxHeight);
  const same = encoding.maxBitrate === maxBitrate && encoding.maxFramerate === maxFramerate &&
    encoding.scaleResolutionDownBy === scale;
  if (same) return;
  Object.assign(encoding, { maxBitrate, maxFramerate, scaleResolutionDownBy: scale });
  await sender.setParameters(parameters);
}

/** @param {number} maxBitrate @param {number} maxFramerate @param {number} maxHeight */
function budget(maxBitrate, maxFramerate, maxHeight) {
  return { maxBitrate, maxFramerate, maxHeight };
}
