// Runs every row of the whole-server benchmark, Signalpost and the baseline in turn, and has the report written.
// See run.sh, which builds what this needs.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { write } from './report.mjs';

const ROUNDS = Number(process.argv[2] ?? 9);
const SECONDS = Number(process.argv[3] ?? 2);
const BINARY = `${process.env.CARGO_TARGET_DIR ?? 'target'}/release/signalpost`;
const BASELINE = 'benches/whole/baseline/server.js';
const MORE_FLAGS = (process.env.SIGNALPOST_ARGS ?? '').split(' ').filter(Boolean);
// Below the ports that outgoing connections get.
const PORT = 20_000 + (process.pid % 5000) * 2;
// With two processors, each side has one of its own.
const PIN = cpus().length > 1;
const FILES = Number(execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || 1_000_000;
const WARM_UP_SECONDS = 1.5;
const WATCHERS = `--watchers 10 --admin 127.0.0.1:${PORT + 1}`;
const IDLE_ROOMS = Math.floor((Math.min(FILES, 20_000) - 1000) / 2);

if (!(ROUNDS >= 1 && SECONDS > 0)) {
  console.error('run.sh [ROUNDS [SECONDS]]: both are numbers above 0, such as 9 2');
  process.exit(2);
}

/** Kind of server: what its rows are called in the report, and how it starts. */
const servers = {
  signalpost: (options) => ({
    command: BINARY,
    args: [
      ...['--listen', `127.0.0.1:${PORT}`, '--admin-listen', `127.0.0.1:${PORT + 1}`],
      ...['--max-members', String(options.members ?? 10), '--rate-limit', '0', ...MORE_FLAGS],
    ],
    env: options.workers ? { TOKIO_WORKER_THREADS: String(options.workers) } : {},
  }),
  baseline: (options) => ({
    command: process.execPath,
    args: [BASELINE],
    env: { PORT: String(PORT), MAX_MEMBERS: String(options.members ?? 10) },
  }),
};

/** @type {Record<string, Record<string, object[]>>} row, then server: one result a round */
const results = {};
let failures = 0;

async function main() {
  for (let round = 1; round <= ROUNDS; round += 1) {
    // Who goes first alternates, so that a drift of the machine favours nobody.
    const order = round % 2 ? ['signalpost', 'baseline'] : ['baseline', 'signalpost'];
    for (const row of ['candidates', 'outstanding', 'offers', 'fanOut', 'fanOutLarge', 'calls', 'idle', 'large']) {
      for (const kind of order) await measure(round, row, kind);
      for (const other of besides[row] ?? []) await measure(round, other, 'signalpost');
    }
  }
  write({ results, rounds: ROUNDS, seconds: SECONDS, pinned: PIN, failures, flags: MORE_FLAGS, binary: BINARY });
}

/** What Signalpost's own figure in a row is compared with is measured right after it: the machine drifts. */
const besides = {
  candidates: ['watched', 'workers1', 'workers2'],
  fanOutLarge: ['fanOutMany'],
  calls: ['callsWatched'],
};

async function measure(round, row, kind) {
  console.error(`round ${round} of ${ROUNDS}: ${row}, ${kind}`);
  const figures = await rows[row](kind).catch((error) => ({ error }));
  for (const [name, figure] of Object.entries(figures)) {
    if (name === 'error') {
      failures += 1;
      console.error(`  left out: ${figure.message}`);
      continue;
    }
    results[name] ??= {};
    results[name][kind] ??= [];
    results[name][kind][round - 1] = figure;
  }
}

/** What each row runs; each gives one figure or more. */
const rows = {
  // The load at half of what this server just took is measured in the same breath.
  candidates: (kind) =>
    withServer(kind, {}, async (pid) => {
      const full = await load(pid, '--scenario candidates --rooms 100');
      const half = await load(pid, `--scenario candidates --rooms 100 --rate ${Math.round(full.per_second / 2)}`);
      return { candidates: full, half };
    }),
  outstanding: plain('outstanding', '--scenario candidates --rooms 100 --outstanding 8'),
  offers: plain('offers', '--scenario offers --rooms 100'),
  fanOut: plain('fanOut', '--scenario fan-out --rooms 20 --members 10'),
  fanOutLarge: plain('fanOutLarge', '--scenario fan-out --rooms 1 --members 1000', { members: 1000 }),
  // As many connections as in the large room.
  fanOutMany: plain('fanOutMany', '--scenario fan-out --rooms 100 --members 10'),
  calls: plain('calls', '--scenario calls --rooms 50'),
  idle: plain('idle', `--scenario idle --rooms ${IDLE_ROOMS}`),
  // One full room, and in another room a pair that notices when the server is busy for long. The room has filled
  // before the pair comes, and goes on until it is gone.
  large: (kind) =>
    withServer(kind, { members: 1000 }, async (pid) => {
      const flags = '--scenario fan-out --rooms 1 --members 1000 --rate 20';
      const room = begin(pid, flags, { seconds: SECONDS + WARM_UP_SECONDS + 4 });
      await Promise.race([room.flowing, room.result]);
      const [beside] = await Promise.all([load(pid, '--scenario candidates --rooms 1 --rate 100'), room.result]);
      return { beside };
    }),
  watched: plain('watched', `--scenario candidates --rooms 100 ${WATCHERS}`),
  callsWatched: plain('callsWatched', `--scenario calls --rooms 50 ${WATCHERS}`),
  workers1: plain('workers1', '--scenario candidates --rooms 100', { workers: 1, free: true }),
  workers2: plain('workers2', '--scenario candidates --rooms 100', { workers: 2, free: true }),
};

function plain(name, flags, options = {}) {
  return (kind) => withServer(kind, options, async (pid) => ({ [name]: await load(pid, flags, options) }));
}

/** Runs `use` on a server of its own, which is gone afterwards. */
async function withServer(kind, options, use) {
  const { command, args, env } = servers[kind](options);
  const server = start(command, args, { pin: options.free ? null : 0, env, stdio: 'ignore' });
  const ended = once(server, 'exit');
  try {
    await listening(server);
    return await use(server.pid);
  } finally {
    server.kill('SIGKILL');
    await ended;
  }
}

function load(pid, flags, options) {
  return begin(pid, flags, options).result;
}

/** flowing: everybody has joined, and something arrived. */
function begin(pid, flags, { free = false, seconds = SECONDS } = {}) {
  const words =
    `bench ws://127.0.0.1:${PORT}/ ${flags} --seconds ${seconds} --warm-up ${WARM_UP_SECONDS} --pid ${pid} --json`;
  const client = start(BINARY, words.split(' '), { pin: free ? null : 1, env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  client.stdout.on('data', (data) => (out += data));
  const flowing = new Promise((resolve) => {
    client.stderr.on('data', (data) => {
      err += data;
      if (/[1-9]\d* \w+ a second/.test(err)) resolve();
    });
  });
  const result = async () => {
    const overdue = setTimeout(() => client.kill('SIGKILL'), (seconds + 240) * 1000);
    const [status] = await once(client, 'close');
    clearTimeout(overdue);
    if (status !== 0) throw new Error(`signalpost ${words}: ${out}${err.trim().split('\n').at(-1)}`);
    const figures = JSON.parse(out);
    if (figures.count === 0) throw new Error(`signalpost ${words}: nothing arrived in the measured time`);
    return figures;
  };
  return { flowing, result: result() };
}

function start(command, args, { pin, env, stdio }) {
  const words = PIN && pin !== null ? ['taskset', '-c', String(pin), command, ...args] : [command, ...args];
  return spawn(words[0], words.slice(1), { stdio, env: { ...process.env, ...env } });
}

async function listening(server) {
  for (let tries = 0; tries < 200; tries += 1) {
    if (server.exitCode !== null) throw new Error(`the server ended at once, with ${server.exitCode}`);
    const socket = connect(PORT, '127.0.0.1');
    const reached = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (reached) return;
    await sleep(50);
  }
  throw new Error('the server does not listen');
}

await main();
