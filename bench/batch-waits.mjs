// Measures how long workers wait for batches in steady state, and each process's memory and CPU time: coordinator, two workers
// on torch and two data-loaders, one process each, over NATS and MinIO with certificates, on the demo's networks.
// node bench/batch-waits.mjs [--iterations 300] [--images FOLDER] [--tile 480] [--set key=value ...]
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startClusterServers } from '../packages/local-servers/dist/index.js';
import { startChild } from '../scripts/child-processes.mjs';

const { values } = parseArgs({
  options: {
    iterations: { type: 'string', default: '300' },
    warmup: { type: 'string', default: '20' },
    images: { type: 'string', default: fileURLToPath(new URL('../examples/photographs/train', import.meta.url)) },
    tile: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const [iterations, warmup] = [Number(values.iterations), Number(values.warmup)];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const phases = ['mse', 'gan'].map((kind) => ({ kind, iterations: iterations / 2, learningRate: 1e-4 }));
const settings = [
  'name=batch-waits',
  'dataset=s3://bench/dataset',
  'store=s3://bench/store',
  `phases=${JSON.stringify(phases)}`,
  'batches.from=nats',
  'workers.backend=torch',
  'workers.threads=1',
  'workers.minimumToStart=2',
  ...values.set,
];
const config = ['--config', here('configs/demo.yaml'), ...settings.flatMap((setting) => ['--set', setting])];

const servers = await startClusterServers();
const folder = await mkdtemp(join(tmpdir(), 'fourfold-waits-'));
const running = new Set();
/** For each role, the memory and CPU time of its processes so far. */
const taken = {};

/** Track a process's peak memory and CPU time until it ends. */
async function watch(role, pid) {
  const process = {};
  (taken[role] ??= []).push(process);
  for (;;) {
    const [status, stat] = await Promise.all(
      ['status', 'stat'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
    );
    const peakKib = /VmHWM:\s*(\d+)/.exec(status)?.[1];
    if (peakKib === undefined) return;
    // After the name in parentheses, state is the first field, utime and stime the 12th and 13th, in hundredths of a second.
    const [utime, stime] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    Object.assign(process, {
      peakMib: Math.round(Number(peakKib) / 1024),
      cpuSeconds: (Number(utime) + Number(stime)) / 100,
    });
    await delay(250);
  }
}

/** Start a part of the run; `on` is called with its log's events. */
function start(role, args, on = () => undefined) {
  const env = { ...process.env, XDG_CACHE_HOME: folder, ...servers.environment(role), FOURFOLD_LOG: 'debug' };
  const child = startChild(process.execPath, [here('../packages/cli/bin/fourfold.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
  });
  running.add(child);
  watch(role, child.pid).catch(() => undefined);
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.startsWith('{')) on(JSON.parse(line));
    else console.error(line);
  });
  return once(child, 'close').then(([code]) => {
    running.delete(child);
    return code;
  });
}

/** How many seconds a worker has waited for batches so far, and how many leases needed one. */
async function waitsOf(address) {
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const value = (name) =>
    Number(new RegExp(`^fourfold_worker_${name}_total(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  return { batches: value('batches'), waitedSeconds: value('batch_wait_seconds') };
}

try {
  const prepared = await start('local', ['prepare', '--images', values.images, '--out', 's3://bench/dataset']);
  if (prepared !== 0) throw new Error('the dataset could not be prepared');
  const workers = [{}, {}];
  let steady;
  let endMs = 0;
  const coordinator = start('coordinator', ['coordinator', ...config], async (line) => {
    if (line.event !== 'update' || line.network !== 'generator') return;
    endMs = line.time;
    if (line.iteration !== warmup || steady) return;
    steady = { sinceMs: line.time, waits: await Promise.all(workers.map(({ http }) => waitsOf(http))) };
  });
  for (let i = 0; i < 2; i++) void start('data-loader', ['data-loader', ...config]);
  for (const worker of workers) {
    void start('worker', ['worker', ...config, '--http', '127.0.0.1:0'], (line) => {
      if (line.event === 'http') worker.http = line.address;
      if (line.event === 'batches') worker.end = line;
    });
  }
  if ((await coordinator) !== 0) throw new Error('the run failed');
  while (workers.some(({ end }) => !end)) await delay(50);
  const seconds = (endMs - steady.sinceMs) / 1000;
  const result = workers.map(({ end }, i) => {
    const waitedSeconds = end.waitedSeconds - steady.waits[i].waitedSeconds;
    const batches = end.batches - steady.waits[i].batches;
    return { batches, waitedSeconds, share: waitedSeconds / seconds, sinceStart: end.waitedSeconds };
  });
  console.log(
    JSON.stringify({
      iterations: iterations - warmup,
      seconds,
      workers: result,
      taken,
      cores: availableParallelism(),
      load: loadavg()[0],
    }),
  );
} finally {
  for (const child of running) child.kill('SIGTERM');
  await Promise.all([...running].map((child) => once(child, 'close')));
  await servers.stop();
  await rm(folder, { recursive: true, force: true });
}
