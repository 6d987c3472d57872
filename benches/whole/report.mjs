// Writes docs/benchmarks.md and docs/benchmarks.svg from the results of run.mjs.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

const cpu = (result) => result.server.cpu_us_per_unit;
const memory = (result) => result.server.rss_bytes_per_connection;
const p99 = (result) => result.latency.p99_us;

/** What both servers are measured by: title, short title for the plot, row, figure, unit. Less is better. */
const COMPARED = [
  ['candidate relay (305 B), CPU a message', 'candidate', 'candidates', cpu, 'µs'],
  ['the same, 8 in flight a pair', '8 in flight', 'outstanding', cpu, 'µs'],
  ['offer relay (4.5 kB), CPU a message', 'offer', 'offers', cpu, 'µs'],
  ['fan-out to 9, CPU a delivery', 'fan-out to 9', 'fanOut', cpu, 'µs'],
  ['fan-out to 999, CPU a delivery', 'fan-out to 999', 'fanOutLarge', cpu, 'µs'],
  ['whole call set-up, CPU a call', 'call set-up', 'calls', cpu, 'µs'],
  ['memory (RSS) an idle joined client', 'idle memory', 'idle', memory, 'B'],
  ['p99 latency at half load, 100 pairs', 'p99 at half load', 'half', p99, 'µs'],
  ['p99 latency in a room beside one of 1,000', 'p99 beside 1,000', 'beside', p99, 'µs'],
];

const SPEEDS = [
  ['candidates', 'messages'],
  ['outstanding', 'messages'],
  ['offers', 'messages'],
  ['fanOut', 'deliveries'],
  ['calls', 'calls'],
];

/** run is what run.mjs measured, and how. */
export function write(run) {
  const { results } = run;
  const rows = COMPARED.map(([title, short, row, figure, unit]) => {
    const ours = column(results, row, 'signalpost', figure);
    const theirs = column(results, row, 'baseline', figure);
    return { title, short, unit, row, ours, theirs, ratio: ratioOf(ours, theirs) };
  });
  mkdirSync('docs', { recursive: true });
  writeFileSync('docs/benchmarks.svg', plot(rows));
  writeFileSync('docs/benchmarks.md', [intro(run), table(rows), alone(results), speeds(results), method(run)].join('\n'));
  console.log(table(rows));
  console.log(alone(results));
  console.log('written: docs/benchmarks.md docs/benchmarks.svg');
}

/** One figure of each round; a round that was left out is a hole. */
function column(results, row, kind, figure) {
  return Array.from(results[row]?.[kind] ?? [], (result) => (result ? figure(result) : NaN));
}

function median(figures) {
  const sorted = figures.filter(Number.isFinite).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of the rounds' ratios: what one round does to the machine hits both servers. */
function ratioOf(ours, theirs) {
  return median(ours.map((figure, round) => figure / theirs[round]));
}

/** Of two that are nearly the same, what noise alone does. */
function spread(ours, theirs) {
  const ratios = ours.map((figure, round) => figure / theirs[round]).filter(Number.isFinite);
  return `${show(Math.min(...ratios))} to ${show(Math.max(...ratios))}`;
}

function show(figure) {
  if (!Number.isFinite(figure)) return '–';
  const digits = figure >= 100 ? 0 : figure >= 10 ? 1 : 2;
  return figure.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Noise only adds to a latency, so the least of the rounds says something, too. */
function cell(figures, unit, row) {
  const text = `${show(median(figures))} ${unit}`;
  const least = Math.min(...figures.filter(Number.isFinite));
  return ['half', 'beside'].includes(row) ? `${text} [${show(least)}]` : text;
}

function table(rows) {
  const lines = rows.map(
    ({ title, unit, row, ours, theirs, ratio }) =>
      `| ${title} | ${cell(ours, unit, row)} | ${cell(theirs, unit, row)} | ${show(ratio)} |`,
  );
  return ['| less is better | Signalpost | Node.js, ws | ratio |', '| --- | --- | --- | --- |', ...lines, ''].join('\n');
}

function alone(results) {
  const of = (row, figure) => column(results, row, 'signalpost', figure);
  const pairs = [
    ['candidates with 10 gRPC `WatchEvents` subscribers against without, CPU a message', of('watched', cpu), of('candidates', cpu)],
    ['calls with 10, who each hear of every join and leave, against without, CPU a call', of('callsWatched', cpu), of('calls', cpu)],
    ['2 worker threads against 1, not pinned, CPU a message', of('workers2', cpu), of('workers1', cpu)],
    ['fan-out to 999 against to 9 in 100 rooms, CPU a delivery', of('fanOutLarge', cpu), of('fanOutMany', cpu)],
  ];
  const lines = pairs.map(
    ([title, a, b]) => `| ${title} | ${show(median(a))} µs | ${show(median(b))} µs | ${show(ratioOf(a, b))} [${spread(a, b)}] |`,
  );
  const [p50, most] = [of('beside', (result) => result.latency.p50_us), of('beside', (result) => result.latency.max_us)];
  return [
    '| Signalpost against itself | | | ratio [of the rounds] |',
    '| --- | --- | --- | --- |',
    ...lines,
    '',
    `Beside a room of 1,000 that broadcasts 20 times a second, a pair in another room sees a median of ` +
      `${show(median(p50))} µs, a p99 of ${show(median(of('beside', p99)))} µs and at most ${show(median(most))} µs ` +
      `(medians of the rounds; the least maximum is ${show(Math.min(...most.filter(Number.isFinite)))} µs).`,
    '',
  ].join('\n');
}

function speeds(results) {
  const title = (row) => COMPARED.find((compared) => compared[2] === row)[0].split(', CPU')[0];
  const speed = (result) => result.per_second;
  const lines = SPEEDS.map(([row, unit]) => {
    const [ours, theirs] = ['signalpost', 'baseline'].map((kind) => median(column(results, row, kind, speed)));
    return `| ${title(row)}, ${unit} a second | ${show(ours)} | ${show(theirs)} |`;
  });
  return [
    'As fast as answered, on one core for the server and one for the load; where the load is the slower of the two,',
    'the server could do more, so go by CPU time:',
    '',
    '| more is better | Signalpost | Node.js, ws |',
    '| --- | --- | --- |',
    ...lines,
    '',
  ].join('\n');
}

function intro({ rounds, failures }) {
  const left = failures ? ` ${failures} runs failed and were left out.` : ' Every message came once and in order; the first of each kind was compared.';
  return [
    '# Benchmarks',
    '',
    'What Signalpost costs to run, against a plain Node.js server of the same protocol, as WebRTC tutorials write it',
    '([its source](../benches/whole/baseline/server.js)). Written by `benches/whole/run.sh`; do not edit.',
    'What a fleet takes beyond that is in [cluster.md](cluster.md#how-much-it-takes) (`cargo bench --bench fleet`).',
    '',
    `Medians of ${rounds} rounds.${left} Latencies: the least of the rounds in brackets.`,
    '',
    '![Ratios to the baseline; less is better](benchmarks.svg)',
    '',
  ].join('\n');
}

function method({ results, rounds, seconds, pinned, flags, binary }) {
  const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' }).trim();
  const ws = JSON.parse(readFileSync('benches/whole/baseline/node_modules/ws/package.json', 'utf8')).version;
  const dirty = run('git', 'status', '--porcelain', '--untracked-files=no', 'src', 'Cargo.lock') ? ', changed since' : '';
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  const idle = results.idle?.signalpost?.find(Boolean)?.count ?? 0;
  const late = column(results, 'half', 'signalpost', (result) => result.late_p99_us);
  return [
    '## Method',
    '',
    '- Each row starts a fresh server and loads it with `signalpost bench` over loopback, both servers in turn in each',
    '  round; who goes first alternates. A ratio is the median of the ratios in each round.',
    '- CPU is the user and system time of the server process while messages flow, after 1.5 s of warm-up, divided by',
    '  what arrived. It holds on a busy machine where messages a second and latencies do not.',
    pinned
      ? '- The server has processor 0, the load processor 1, except with several worker threads.'
      : '- Server and load share one processor.',
    '- Half load is half of what the same server reached just before, sent evenly whether or not others have arrived;',
    `  the load itself was ${show(median(late))} µs late (p99).`,
    `- Idle memory is the growth of the resident set by ${idle.toLocaleString('en')} clients in rooms of two.`,
    '- Signalpost runs with its defaults' +
      (flags.length ? ` and \`${flags.join(' ')}\`;` : ';') +
      ' in the rows with 1,000 members both servers allow as many. The baseline logs nothing.',
    '- A call: two connect and join, offer, answer, 8 candidates, both leave and close.',
    '',
    `Machine: ${cpus().length} × ${cpus()[0].model}, ${memoryGiB} GiB, ${type()} ${release()}.`,
    `Versions: ${run(binary, '--version')} (${run('git', 'rev-parse', '--short', 'HEAD')}${dirty}), ` +
      `${run('rustc', '--version').replace(/ \(.*/, '')}, Node.js ${process.version}, ws ${ws}.`,
    `Date: ${new Date().toISOString().slice(0, 10)}. Command: \`benches/whole/run.sh ${rounds} ${seconds}\`.`,
    '',
  ].join('\n');
}

/** Bars of the ratios, on the dark or light ground of whatever page shows them. */
function plot(rows) {
  const [left, width, step, top] = [150, 420, 30, 44];
  const shown = rows.filter(({ ratio }) => Number.isFinite(ratio));
  const scale = width / Math.max(1.1, ...shown.map(({ ratio }) => ratio * 1.05));
  const height = top + shown.length * step + 28;
  const bars = shown.map(({ short, ratio }, nth) => {
    const y = top + nth * step;
    const length = (ratio * scale).toFixed(1);
    return [
      `<text x="${left - 10}" y="${y + 14}" text-anchor="end">${short}</text>`,
      `<rect x="${left}" y="${y}" width="${length}" height="20" rx="2"/>`,
      `<text x="${left + Number(length) + 6}" y="${y + 14}" class="ratio">${ratio.toFixed(2)}</text>`,
    ].join('\n  ');
  });
  const one = (left + scale).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 60} ${height}" role="img">
  <title>Signalpost's cost as a ratio to a Node.js server's; less is better</title>
  <style>
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    rect { fill: #2f6fb5; }
    .ratio { font-weight: 600; }
    line { stroke: #9a5b13; stroke-dasharray: 4 3; }
    .one { fill: #9a5b13; }
    @media (prefers-color-scheme: dark) {
      text { fill: #d8dee4; }
      rect { fill: #6aa5e8; }
      line { stroke: #e0a458; }
      .one { fill: #e0a458; }
    }
  </style>
  <text x="${left}" y="18">CPU, memory and latency against a Node.js server (less is better)</text>
  ${bars.join('\n  ')}
  <line x1="${one}" y1="${top - 8}" x2="${one}" y2="${height - 24}"/>
  <text x="${one}" y="${height - 8}" text-anchor="middle" class="one">Node.js, ws = 1</text>
</svg>
`;
}
