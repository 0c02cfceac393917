// Compares ours with the peers of bench/peers on this machine, alternating, with medians over the rounds. See bench/README.md.
import { appendFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endingSignal, runChild } from '../scripts/child-processes.mjs';
import { median } from './median.mjs';

const inRepository = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const photographs = inRepository('examples/photographs/train');
const python = process.env.FOURFOLD_PYTHON ?? 'python3';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: 'step,torch,update,loader' },
    match: { type: 'string', default: '' },
    blocks: { type: 'string', default: '16' },
    batch: { type: 'string', default: '16' },
    json: { type: 'boolean', default: false },
  },
});

/** A program's stdout; rejects if it fails. */
async function run(program, args) {
  const { code, signal, stdout, stderr } = await runChild(program, args);
  if (code === 0) return stdout;
  throw Object.assign(new Error(`${program} ended with ${signal ?? code}`), { stderr });
}

const lastJsonOf = async (program, args) => {
  const stdout = await run(program, args);
  return JSON.parse(stdout.slice(stdout.indexOf('{')));
};
const fourfold = (...args) => lastJsonOf(process.execPath, [inRepository('packages/cli/bin/fourfold.js'), ...args]);
const peer = (script, ...args) => lastJsonOf(python, [inRepository(`bench/peers/${script}`), ...args]);
const mebibytes = (bytes) => bytes / 2 ** 20;
const timing = ({ medianMs, minMs, peakMemoryBytes, parts }) => ({
  value: medianMs,
  best: minMs,
  parts,
  peakMiB: peakMemoryBytes && mebibytes(peakMemoryBytes),
});
const peerTiming = ({ median_ms, min_ms, peak_mib }) => ({ value: median_ms, best: min_ms, peakMiB: peak_mib });
const rate = ({ cropsPerSecond, cpuSecondsPerThousand }) => ({
  value: cropsPerSecond,
  best: cropsPerSecond,
  cpu: cpuSecondsPerThousand,
});
const peerRate = ({ samples_per_s, cpu_s_per_thousand }) => ({
  value: samples_per_s,
  best: samples_per_s,
  cpu: cpu_s_per_thousand,
});

/** Paper size except for blocks and batch, with which wasm would take minutes. */
const stepSize = ['--blocks', '2', '--batch', '4'];

function stepComparison(phase, repeats) {
  return {
    name: `wasm, ${phase}, 2 blocks, batch 4`,
    unit: 'ms',
    ours: async () =>
      timing(
        (
          await fourfold(
            'bench',
            'step',
            '--size',
            'paper',
            '--backend',
            'wasm',
            ...stepSize,
            '--phase',
            phase,
            ...repeats,
            '--json',
          )
        ).timings[0],
      ),
    peer: async () =>
      peerTiming(
        await peer('torch_srgan.py', ...stepSize, '--phase', phase, ...repeats, '--channels-last', '--malloc'),
      ),
  };
}

/** Ours on libtorch. */
function torchComparison(phase, dtype, repeats) {
  const { blocks, batch } = options;
  const same = ['--device', 'cpu', '--blocks', blocks, '--batch', batch, '--phase', phase, ...repeats];
  const ours = ['--size', 'paper', '--backend', 'torch', '--dtype', dtype, ...same];
  return {
    name: `torch, ${blocks} blocks, batch ${batch}, ${phase}, ${dtype}`,
    unit: 'ms',
    ours: async () => timing((await fourfold('bench', 'step', ...ours, '--json')).timings[0]),
    peer: async () =>
      peerTiming(await peer('torch_srgan.py', '--dtype', dtype, ...same, '--channels-last', '--malloc')),
  };
}

const torchComparisons = [
  torchComparison('mse', 'fp32', ['--steps', '3', '--warmup', '1']),
  torchComparison('gan', 'fp32', ['--steps', '2', '--warmup', '1']),
  torchComparison('mse', 'bf16', ['--steps', '2', '--warmup', '1']),
  torchComparison('gan', 'bf16', ['--steps', '1', '--warmup', '1']),
];

/** The synchronous update at paper size; the peer rounds gradients if ours does. */
function updateComparison(workers, exchange, format) {
  const isRounded = format !== 'float32';
  const rounding = isRounded ? ['--gradients', 'bf16', '--parameters', 'bf16'] : [];
  const factors = format === 'bfloat16 and factors' ? ['--dense-gradient', 'factors'] : [];
  const ours = ['--workers', String(workers), '--exchange', exchange, ...rounding, ...factors];
  return {
    name: `update, ${workers} workers, ${format}, ${exchange}`,
    unit: 'ms',
    ours: async () => timing(await fourfold('bench', 'update', ...ours, '--json')),
    peer: async () =>
      peerTiming(await peer('torch_ddp_gloo.py', '--ranks', String(workers), ...(isRounded ? ['--bf16'] : []))),
  };
}

const updateComparisons = [2, 4].flatMap((workers) =>
  ['float32', 'bfloat16', 'bfloat16 and factors'].flatMap((format) =>
    ['shared-memory', 'stream', 'grpc'].map((exchange) => updateComparison(workers, exchange, format)),
  ),
);

/**
 * Datasets in `folder`: one whose decoded pictures all fit in the cache, one far too large for it, and tiles as PNGs and as pixels. All
 * processes stay on the cores of this one: `taskset -c 0 node bench/compare.mjs --only loader` compares on one core.
 */
async function loaderComparisons(folder) {
  const copies = join(folder, 'copies');
  for (let copy = 0; copy < 30; copy++) {
    for (const file of await readdir(photographs)) {
      const target = join(copies, `${copy}-${file}`);
      await cp(join(photographs, file), target);
      // Bytes after the end of the picture: a different file, the same work.
      await appendFile(target, `copy ${copy}`);
    }
  }
  const ours = async (images, name, iterations, ...how) => {
    const dataset = join(folder, name);
    const config = join(folder, `${name}.yaml`);
    await fourfold('prepare', '--images', images, '--out', dataset, ...how, '--json');
    await writeFile(
      config,
      JSON.stringify({ recipe: 'srresnet-mse', name, dataset, data: { flips: true, quarterTurns: true } }),
    );
    return async () =>
      rate(await fourfold('bench', 'loader', '--config', config, '--iterations', iterations, '--json'));
  };
  const decoding = (images) => async () =>
    peerRate(await peer('torch_loader.py', images, '--workers', String(availableParallelism()), '--seconds', '5'));
  /** The members of a dataset's shards as files. */
  const unpacked = async (name) => {
    const target = join(folder, `${name}-files`);
    await mkdir(target);
    for (const shard of (await readdir(join(folder, name))).filter((file) => file.endsWith('.tar'))) {
      await run('tar', ['-C', target, '-xf', join(folder, name, shard)]);
    }
    return target;
  };
  const tiles = ['--tile', '240'];
  const [large, small] = [await ours(copies, 'large', '150'), await ours(photographs, 'small', '300')];
  const [png, pixels] = [
    await ours(photographs, 'png', '300', ...tiles, '--encoding', 'keep'),
    await ours(photographs, 'pixels', '3000', ...tiles, '--encoding', 'pixels'),
  ];
  const [pngFiles, pixelFiles] = [await unpacked('png'), await unpacked('pixels')];
  const mapped = async () => peerRate(await peer('torch_memmap_loader.py', pixelFiles, '--seconds', '5'));
  return [
    { name: 'loader, pictures decoded each time', ours: large, peer: decoding(photographs) },
    { name: 'loader, pictures in the cache', ours: small, peer: decoding(photographs) },
    { name: 'loader, PNG tiles in the cache', ours: png, peer: decoding(pngFiles) },
    { name: 'loader, tiles of pixels beside PNG tiles', ours: pixels, peer: decoding(pngFiles) },
    { name: 'loader, tiles of pixels beside numpy.memmap', ours: pixels, peer: mapped },
  ].map((comparison) => ({ ...comparison, unit: 'crops/s' }));
}

async function measure({ name, unit, ours, peer: theirs }, rounds) {
  const results = { ours: [], peer: [] };
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`${name}: round ${round + 1} of ${rounds}\n`);
    results.peer.push(await theirs());
    results.ours.push(await ours());
  }
  const best = unit === 'ms' ? Math.min : Math.max;
  const summary = (list) => ({
    median: median(list.map(({ value }) => value)),
    best: best(...list.map((result) => result.best)),
    peakMiB: list[0].peakMiB && Math.max(...list.map((result) => result.peakMiB)),
    cpu: list[0].cpu && median(list.map(({ cpu }) => cpu)),
  });
  const [ourSummary, peerSummary] = [summary(results.ours), summary(results.peer)];
  // Pairs of adjacent runs: the machine's other load differs less between them.
  const pairs = results.ours.map((our, i) =>
    unit === 'ms' ? results.peer[i].value / our.value : our.value / results.peer[i].value,
  );
  // A busy machine changes CPU time less than it changes what passes in a second.
  const isTimed = ourSummary.cpu && peerSummary.cpu;
  const pairedCpu = isTimed && median(results.ours.map((our, i) => results.peer[i].cpu / our.cpu));
  return { name, unit, ours: ourSummary, peer: peerSummary, pairedSpeed: median(pairs), pairedCpu, rounds: results };
}

async function main() {
  const only = options.only.split(',');
  const modules = ['torch', 'numpy', ...(only.includes('loader') ? ['PIL'] : [])].join(', ');
  try {
    await run(python, ['-c', `import ${modules}`]);
  } catch {
    console.error(
      `${python} cannot import ${modules}: pip install torch numpy pillow, and name that Python in FOURFOLD_PYTHON`,
    );
    process.exitCode = 2;
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-compare-'));
  try {
    const comparisons = [
      ...(only.includes('step')
        ? [
            stepComparison('mse', ['--steps', '5', '--warmup', '2']),
            stepComparison('gan', ['--steps', '3', '--warmup', '1']),
          ]
        : []),
      ...(only.includes('torch') ? torchComparisons : []),
      ...(only.includes('update') ? updateComparisons : []),
      ...(only.includes('loader') ? await loaderComparisons(folder) : []),
    ];
    const asked = comparisons.filter(({ name }) => name.includes(options.match));
    if (asked.length === 0) {
      console.error(`no comparison of --only ${options.only} has a name that contains --match ${options.match}`);
      process.exitCode = 2;
      return;
    }
    const results = [];
    for (const comparison of asked) {
      try {
        results.push(await measure(comparison, Number(options.rounds)));
        // Printed at once, in case there is no time for the rest.
        console.error(JSON.stringify(results.at(-1)));
      } catch (error) {
        if (endingSignal()) throw error;
        console.error(`${comparison.name} failed: ${error.stderr?.slice(-2000) || error.message}`);
        process.exitCode = 1;
      }
    }
    report(results);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function report(results) {
  const machine = { cpu: cpus()[0].model.trim(), cores: cpus().length, node: process.version };
  if (options.json) {
    console.log(JSON.stringify({ machine, rounds: Number(options.rounds), results }, null, 2));
    return;
  }
  const number = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  console.log(`${machine.cpu}, ${machine.cores} cores, Node.js ${machine.node}, ${options.rounds} rounds\n`);
  const columns = [
    '',
    'ours, median (best)',
    'PyTorch, median (best)',
    'our speed, PyTorch 1',
    'peak MiB, ours and PyTorch',
    'our slowest part',
    'CPU seconds for 1,000 crops, ours and PyTorch (PyTorch for one of ours)',
  ];
  console.log(`| ${columns.join(' | ')} |`);
  console.log(`| ${columns.map(() => '---').join(' | ')} |`);
  for (const { name, unit, ours, peer: theirs, pairedSpeed, pairedCpu, rounds } of results) {
    const cell = ({ median: middle, best }) => `${number(middle)} (${number(best)}) ${unit}`;
    const memory = ours.peakMiB && theirs.peakMiB ? `${number(ours.peakMiB)}, ${number(theirs.peakMiB)}` : '-';
    const cpuTime = pairedCpu
      ? `${ours.cpu.toPrecision(2)}, ${theirs.cpu.toPrecision(2)} (${pairedCpu.toFixed(2)})`
      : '-';
    console.log(
      `| ${name} | ${cell(ours)} | ${cell(theirs)} | ${pairedSpeed.toFixed(2)} | ${memory} | ${slowestPart(rounds.ours)} | ${cpuTime} |`,
    );
  }
}

/** The part of ours that takes longest, by its median over the rounds. */
function slowestPart(rounds) {
  if (!rounds[0].parts) return '-';
  const medians = Object.keys(rounds[0].parts).map((part) => [part, median(rounds.map(({ parts }) => parts[part]))]);
  const [part, ms] = medians.toSorted(([, a], [, b]) => b - a)[0];
  return `${part} ${ms.toFixed(0)} ms`;
}

await main().catch((error) => {
  if (!endingSignal()) throw error;
});
