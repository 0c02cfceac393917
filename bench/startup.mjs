// Measures how long fourfold takes to start: short commands and refusals to their end, a run's parts until they are ready, `train` until
// its first line. Wall time and CPU time (user and system, all threads of the process), medians.
// node bench/startup.mjs [--rounds 5] [--peer CHECKOUT] [--match TEXT] [--json]
// With --peer each round measures this checkout and then the other one, which must be built.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChild, startChild } from '../scripts/child-processes.mjs';
import { median } from './median.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    peer: { type: 'string' },
    match: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const root = fileURLToPath(new URL('..', import.meta.url));
const checkouts = [root, ...(options.peer ? [options.peer] : [])];
const commandOf = (checkout) => join(checkout, 'packages/cli/bin/fourfold.js');

const folder = await mkdtemp(join(tmpdir(), 'fourfold-startup-'));
const inFolder = (name) => join(folder, name);
const run = ['--set', `dataset=${inFolder('photos')}`];

/** `until` is the line of stderr at which a start is over; without it the command's end. */
const starts = [
  { name: '--version', args: ['--version'] },
  { name: '--help', args: ['--help'] },
  { name: 'train, an unknown option', args: ['train', '--wrong'] },
  { name: 'train, a missing file', args: ['train', inFolder('missing.yaml')] },
  { name: 'train, a bad config', args: ['train', inFolder('bad.yaml')] },
  {
    name: 'upscale, a missing checkpoint',
    args: ['upscale', 'a.png', inFolder('b.png'), '--checkpoint', inFolder('none')],
  },
  { name: 'train, its first line', args: ['train', inFolder('run.yaml'), ...run], until: /./ },
  {
    name: 'coordinator, listening',
    args: ['coordinator', '--config', inFolder('run.yaml'), ...run],
    until: /"event":"listening"/,
  },
  {
    name: 'worker, its backend started',
    args: ['worker', '--config', inFolder('run.yaml'), ...run],
    until: /"event":"started"/,
  },
].filter(({ name }) => name.includes(options.match));

/** Makes a process write its CPU time to file descriptor 3 at its end. */
const report = inFolder('report.cjs');
const reporting = `process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  require('node:fs').writeSync(3, String((user + system) / 1e6));
});`;

/** CPU seconds of a process that runs. */
async function cpuSecondsOf(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // After the name in parentheses, utime and stime are the 12th and 13th fields, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Start a checkout's command once; resolves with its wall and CPU seconds. */
async function measure(checkout, { name, args, until }) {
  // A run's earlier checkpoints would be in the way of the next start.
  await rm(inFolder('store'), { recursive: true, force: true });
  const begunMs = performance.now();
  const child = startChild(process.execPath, ['--require', report, commandOf(checkout), ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, XDG_CACHE_HOME: inFolder('cache') },
  });
  const seconds = () => (performance.now() - begunMs) / 1000;
  let said = '';
  child.stdio[3].on('data', (text) => (said += text));
  return new Promise((resolve, reject) => {
    let reached;
    const lines = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (reached || !until?.test(line)) return;
      const wall = seconds();
      reached = cpuSecondsOf(child.pid).then((cpu) => ({ wall, cpu }));
      void reached.then(() => child.kill('SIGTERM'), reject);
    });
    child.once('error', reject);
    child.once('close', () => {
      if (until && !reached) reject(new Error(`${name} ended before its time:\n${lines.join('\n')}`));
      else resolve(reached ?? { wall: seconds(), cpu: Number(said) });
    });
  });
}

try {
  const photographs = join(root, 'examples/photographs/held-out');
  const prepare = ['prepare', '--images', photographs, '--out', inFolder('photos'), '--tile', '240'];
  const { code, stderr } = await runChild(process.execPath, [commandOf(root), ...prepare]);
  if (code !== 0) throw new Error(`the dataset could not be prepared: ${stderr}`);
  const config =
    'recipe: demo\nname: startup\ndataset: photos\nstore: store\nworkers: { count: 1, threads: 1, backend: wasm }\n';
  await writeFile(report, reporting);
  await writeFile(inFolder('run.yaml'), config);
  await writeFile(inFolder('bad.yaml'), `${config}replicas: many\n`);
  const rows = [];
  for (const start of starts) {
    const found = checkouts.map(() => []);
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const [i, checkout] of checkouts.entries()) found[i].push(await measure(checkout, start));
    }
    const [ours, peer] = found.map((times) => ({
      wallSeconds: median(times.map(({ wall }) => wall)),
      cpuSeconds: median(times.map(({ cpu }) => cpu)),
    }));
    rows.push({ start: start.name, ...ours, ...(peer && { peer }) });
    const shown = [ours, ...(peer ? [peer] : [])].map(
      ({ wallSeconds, cpuSeconds }) => `${wallSeconds.toFixed(2)} s, CPU ${cpuSeconds.toFixed(2)} s`,
    );
    if (!options.json) console.log(`${start.name}: ${shown.join('; the other checkout ')}`);
  }
  const machine = { cores: availableParallelism(), load: loadavg()[0], node: process.version };
  console.log(
    options.json
      ? JSON.stringify({ bench: 'startup', rounds: Number(options.rounds), machine, rows })
      : `${machine.cores} cores, load ${machine.load.toFixed(1)}, Node.js ${machine.node}`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
