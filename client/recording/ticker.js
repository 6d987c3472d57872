// A worker that keeps time: in a tab in the background, browsers slow down the page's own timers.

/** @type {ReturnType<typeof setInterval> | undefined} */
let timer;
let isAnswered = true;

// A number of milliseconds starts it; anything else answers a tick. A page that is slow to answer is spared the
// ticks between, which would pile up before all else that it has to do.
self.onmessage = ({ data: intervalMs }) => {
  isAnswered = true;
  if (typeof intervalMs !== "number") return;
  clearInterval(timer);
  timer = setInterval(() => {
    if (!isAnswered) return;
    isAnswered = false;
    self.postMessage(null);
  }, intervalMs);
};
