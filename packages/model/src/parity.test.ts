import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { probeBackends, selectBackend } from './backends/backend.js';
import { smallIteration, type IterationResult } from './test-iteration.js';
import { onOneThread, relativeError } from './test-support.js';
import { lacks } from '../../../test/support/needs.mjs';

/*
 * Backends agree: the same iteration from the same seed, on each available backend. wasm is the reference because it is
 * always available; plain JavaScript agrees with it to 1e-6 and takes half a minute.
 */

const run = promisify(execFile);
const [torch, tensorflow] = probeBackends();

const f32 = { losses: 1e-4, generator: 1e-4, discriminator: 1e-4 };
/**
 * The effect of rounding to 8 bits on gradients depends on cancellation: real and fake pictures pull a discriminator's
 * weights in opposite directions, and PyTorch's autocast is also a tenth off its float32 gradient.
 */
const bf16 = { losses: 1e-2, generator: 2e-2, discriminator: 0.25 };

let expected: IterationResult;
beforeAll(async () => {
  await selectBackend(onOneThread('wasm'));
  expected = await smallIteration();
});

test.for([
  { probe: torch, precision: 'f32', limits: f32 },
  { probe: torch, precision: 'bf16', limits: bf16 },
  { probe: tensorflow, precision: 'f32', limits: f32 },
] as const)('a gan iteration on $probe.backend in $precision equals that on wasm', async (kind, { skip }) => {
  const { probe, precision, limits } = kind;
  skip(lacks(probe.backend as 'torch' | 'tensorflow', probe.found, probe.detail));
  await selectBackend({ ...onOneThread(probe.backend), precision });
  const { losses, gradients } = await smallIteration();
  expect(Object.keys(losses)).toEqual(Object.keys(expected.losses));
  for (const [name, value] of Object.entries(expected.losses)) {
    expect(Math.abs(losses[name] / value - 1), name).toBeLessThan(limits.losses);
  }
  for (const network of ['generator', 'discriminator'] as const) {
    expect(relativeError(gradients[network], expected.gradients[network]), network).toBeLessThan(limits[network]);
  }
});

const precisions = ['f32', 'bf16'] as const;

/** By precision, SHA-256 of both networks' gradients and the losses of an iteration run twice in its own process. */
async function hashes(threads: number): Promise<string[][]> {
  const choices = precisions.map((precision) => ({ ...onOneThread('torch'), threads, precision }));
  const program = `
    import { createHash } from 'node:crypto';
    import { selectBackend } from ${JSON.stringify(new URL('../dist/backends/backend.js', import.meta.url).href)};
    import { smallIteration } from ${JSON.stringify(new URL('../dist/test-iteration.js', import.meta.url).href)};
    const hash = ({ losses, gradients }) =>
      createHash('sha256')
        .update(JSON.stringify(losses))
        .update(gradients.generator)
        .update(gradients.discriminator)
        .digest('hex');
    const found = [];
    for (const choice of ${JSON.stringify(choices)}) {
      await selectBackend(choice);
      found.push([hash(await smallIteration()), hash(await smallIteration())]);
    }
    console.log(JSON.stringify(found));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { timeout: 60_000 });
  return JSON.parse(stdout) as string[][];
}

test.for([1, 2])(
  'torch on %i threads, in f32 and bf16: twice in one process and in another, the same bits',
  { timeout: 120_000 },
  async (threads, { skip }) => {
    skip(lacks('torch', torch.found, torch.detail));
    const found = await hashes(threads);
    const again = await hashes(threads);
    for (const [i, precision] of precisions.entries()) {
      const [first, second] = found[i];
      expect([second, ...again[i]], precision).toEqual([first, first, first]);
    }
  },
);
