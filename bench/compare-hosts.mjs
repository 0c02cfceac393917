// Compares our update between hosts with Gloo's all-reduce and Adam: a network namespace for each host, a link of a fixed rate for each, in
// turns, with medians over the rounds. See bench/README.md.
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createBenchHosts } from '../packages/cli/dist/bench/update-hosts.js';
import { endingSignal, runChild } from '../scripts/child-processes.mjs';
import { median } from './median.mjs';

const inRepository = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const python = process.env.FOURFOLD_PYTHON ?? 'python3';

/** What follows `--` are options of `fourfold bench update`. */
const { values: options, positionals: ours } = parseArgs({
  options: {
    hosts: { type: 'string', default: '2,4,8' },
    rate: { type: 'string', default: '200mbit' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '2' },
    warmup: { type: 'string', default: '1' },
    bf16: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const repeats = ['--steps', options.steps, '--warmup', options.warmup];

/** A program's stdout; rejects if it fails. */
async function run([program, ...args]) {
  const { code, signal, stdout, stderr } = await runChild(program, args);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${signal ?? code}: ${stderr.slice(-2000)}`);
}

async function measureOurs(hosts) {
  const command = [process.execPath, inRepository('packages/cli/bin/fourfold.js'), 'bench', 'update', '--json'];
  const places = ['--hosts', String(hosts), '--rate', options.rate];
  const report = JSON.parse(await run([...command, ...places, ...repeats, ...ours]));
  return { ...report, ms: report.medianMs };
}

/** A rank on each worker's host; the coordinator's has none. */
async function measurePeer(ranks) {
  const hosts = await createBenchHosts(ranks, options.rate);
  try {
    const args = ['--ranks', String(ranks), '--address', hosts.addresses[1], ...repeats];
    const commands = Array.from({ length: ranks }, (_, rank) => [
      ...hosts.command(rank, python),
      inRepository('bench/peers/torch_ddp_gloo.py'),
      ...[...args, '--rank', String(rank), '--interface', hosts.interface(rank)],
      ...(options.bf16 ? ['--bf16'] : []),
    ]);
    const before = await hosts.linkBytes();
    const [stdout] = await Promise.all(commands.map(run));
    const after = await hosts.linkBytes();
    const updates = Number(options.steps) + Number(options.warmup);
    const linkBytes = after.map(({ sent, received }, i) => ({
      sent: (sent - before[i].sent) / updates,
      received: (received - before[i].received) / updates,
    }));
    return { ms: JSON.parse(stdout).median_ms, linkBytes };
  } finally {
    await hosts.close();
  }
}

async function measure(hosts) {
  const rounds = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    process.stderr.write(`${hosts} hosts: round ${round + 1} of ${options.rounds}\n`);
    rounds.push({ peer: await measurePeer(hosts), ours: await measureOurs(hosts) });
    // Printed at once, in case there is no time for the rest.
    process.stderr.write(`${JSON.stringify(rounds.at(-1))}\n`);
  }
  return { hosts, rounds };
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
const most = (links) =>
  ['sent', 'received'].map((of) => megabytes(Math.max(...links.map((link) => link[of])))).join(', ');

function rowOf({ hosts, rounds }) {
  const middle = (of) => median(rounds.map(of));
  const [{ ours: first, peer }] = rounds;
  const [coordinator, ...workers] = first.linkBytes;
  return [
    hosts,
    middle(({ ours }) => ours.ms).toFixed(0),
    middle(({ peer }) => peer.ms).toFixed(0),
    middle(({ ours, peer }) => peer.ms / ours.ms).toFixed(2),
    most([coordinator]),
    most(workers),
    most(peer.linkBytes.slice(1)),
    middle(({ ours }) => ours.cpuSeconds).toFixed(2),
    megabytes(Math.max(...rounds.map(({ ours }) => ours.peakMemoryBytes))),
  ];
}

function report(results) {
  const machine = { cpu: cpus()[0].model.trim(), cores: cpus().length, node: process.version };
  if (options.json) return console.log(JSON.stringify({ machine, options, ours, results }, null, 2));
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${options.rate} a host, ${options.rounds} rounds, ${ours.join(' ')}\n`,
  );
  const columns = [
    'hosts',
    'ours, ms',
    'Gloo, ms',
    'our speed, Gloo 1',
    'MB an iteration on the coordinator’s link (sent, received)',
  ];
  const more = ['on a worker’s', 'on a rank’s', 'coordinator’s CPU s an iteration', 'its peak MB'];
  const rows = [[...columns, ...more], [...columns, ...more].map(() => '---'), ...results.map(rowOf)];
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

try {
  await run([python, '-c', 'import torch, numpy']);
  const results = [];
  for (const hosts of options.hosts.split(',').map(Number)) results.push(await measure(hosts));
  report(results);
} catch (error) {
  if (endingSignal()) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
