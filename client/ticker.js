// A worker that keeps time: in a tab in the background, browsers slow down the page's own timers.

/** @type {ReturnType<typeof setInterval> | undefined} */
let timer;

self.onmessage = ({ data: intervalMs }) => {
  clearInterval(timer);
  timer = setInterval(() => self.postMessage(null), intervalMs);
};
