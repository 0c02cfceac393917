// Milliseconds an iteration at paper size, ours and PyTorch's in turns: `fourfold bench step` and peers/torch_srgan.py. One line for
// each precision and round; rounds go on while there is time.
import { expect, fourfold, inProject, isCuda, report, run, seconds, small } from './step.mjs';

const python = process.env.PYTHON ?? 'python3';
const endMs = performance.now() + seconds * 1000;
const repeats = small ? ['--steps', '1', '--warmup', '1'] : ['--steps', '50', '--warmup', '10'];
const size = small ? ['--blocks', '1', '--batch', '1'] : ['--blocks', '16', '--batch', '16'];
/** The paper's other sizes take a CPU too long. */
const tiny = small
  ? ['discriminator.channels=4', 'discriminator.dense=16', 'loss.content=vgg22'].flatMap((setting) => [
      '--set',
      setting,
    ])
  : [];
const device = ['--device', isCuda ? 'cuda' : 'cpu'];
/** A contender that takes longer is given up. */
const mostMs = 75_000;

async function ours(dtype, options) {
  const args = [
    '--size',
    'paper',
    '--backend',
    'torch',
    '--dtype',
    dtype,
    ...device,
    ...size,
    ...tiny,
    ...repeats,
    ...options,
  ];
  const { timings } = JSON.parse(await fourfold(['bench', 'step', ...args, '--json'], { timeoutMs: mostMs }));
  const facts = ({ medianMs, minMs, parts }) => ({ ms: medianMs, bestMs: minMs, parts });
  return Object.fromEntries(timings.map((timing) => [timing.phase, facts(timing)]));
}

async function peer(dtype, options) {
  const args = ['--dtype', dtype, ...device, ...size, ...repeats, '--phase', 'both', '--channels-last', ...options];
  const stdout = await run(python, [inProject('bench/peers/torch_srgan.py'), ...args], { timeoutMs: mostMs });
  const timings = stdout
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  return Object.fromEntries(timings.map(({ phase, median_ms, min_ms }) => [phase, { ms: median_ms, bestMs: min_ms }]));
}

const contenders = {
  ...(isCuda ? { 'ours, graphs': (dtype) => ours(dtype, []) } : {}),
  ...(isCuda ? { 'PyTorch, CUDA graphs': (dtype) => peer(dtype, ['--cudagraph']) } : {}),
  'ours, eager': (dtype) => ours(dtype, ['--set', 'workers.graphs=false']),
  'PyTorch, eager': (dtype) => peer(dtype, []),
  // The compiler takes too long for float32, which nobody trains in there.
  ...(isCuda ? { 'PyTorch, compiled': (dtype) => (dtype === 'fp32' ? undefined : peer(dtype, ['--compile'])) } : {}),
};

const hasPeer = await run(python, ['-c', 'import torch'], { timeoutMs: mostMs }).then(
  () => true,
  (error) => report({ note: `no peer: ${error.message}` }),
);
const failures = [];
let slowestMs = 0;
for (let round = 1; round <= (small ? 1 : 3); round++) {
  for (const dtype of small ? ['bf16'] : ['bf16', 'tf32', 'fp32'].filter((name) => isCuda || name !== 'tf32')) {
    // The first round is for every precision, as far as time allows.
    if (round > 1 && performance.now() + slowestMs > endMs) break;
    const startMs = performance.now();
    const found = {};
    for (const [name, measure] of Object.entries(contenders)) {
      if (!hasPeer && name.startsWith('PyTorch')) continue;
      try {
        const timings = await measure(dtype);
        if (timings) found[name] = timings;
      } catch (error) {
        failures.push(`${name}, ${dtype}: ${error.message}`);
      }
    }
    report({ round, dtype, ms: found });
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
}
if (!isCuda) report({ note: 'CUDA graphs and the compiled peer need a GPU' });
expect(failures.length === 0, failures.join('; '));
