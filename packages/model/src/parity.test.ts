import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { probeBackends, selectBackend } from './backends/backend.js';
import type { BackendChoice } from './backends/types.js';
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

/** SHA-256 of both networks' gradients and the losses of an iteration run twice in its own process. */
async function hashes(choice: BackendChoice): Promise<string[]> {
  const program = `
    import { createHash } from 'node:crypto';
    import { selectBackend } from ${JSON.stringify(new URL('../dist/backends/backend.js', import.meta.url).href)};
    import { smallIteration } from ${JSON.stringify(new URL('../dist/test-iteration.js', import.meta.url).href)};
    await selectBackend(${JSON.stringify(choice)});
    const hash = ({ losses, gradients }) =>
      createHash('sha256')
        .update(JSON.stringify(losses))
        .update(gradients.generator)
        .update(gradients.discriminator)
        .digest('hex');
    console.log(JSON.stringify([hash(await smallIteration()), hash(await smallIteration())]));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { timeout: 60_000 });
  return JSON.parse(stdout) as string[];
}

test.for([
  { threads: 1, precision: 'f32' },
  { threads: 2, precision: 'f32' },
  { threads: 1, precision: 'bf16' },
  { threads: 2, precision: 'bf16' },
] as const)(
  'torch in $precision on $threads threads: twice in one process and in another, the same bits',
  { timeout: 120_000 },
  async (kind, { skip }) => {
    skip(lacks('torch', torch.found, torch.detail));
    const choice = { ...onOneThread('torch'), ...kind };
    const [first, second] = await hashes(choice);
    expect([second, ...(await hashes(choice))]).toEqual([first, first, first]);
  },
);
