import { probeBackends } from '@fourfold/model';
import { beforeAll, describe, expect, test } from 'vitest';
import { lacks } from './support/needs.mjs';
import { trainShortly } from './support/short-training.js';

/*
 * Backends stay together: content losses over 20 iterations, the coordinator's arithmetic between them. Adversarial losses
 * are not compared: they drift apart between float32 and float64, too. Each backend computes in a thread of its own.
 */

const limits = { f32: 1e-3, bf16: 1e-2 };

const probes = probeBackends();

describe.each(['mse', 'gan'] as const)('20 iterations of a %s phase', (kind) => {
  let expected: number[];
  beforeAll(async () => {
    expected = (await trainShortly(kind, { backend: 'wasm' })).content;
  });

  test('the content loss falls on wasm', () => {
    const [early, late] = [expected.slice(0, 5), expected.slice(-5)].map((part) => part.reduce((a, b) => a + b));
    expect(late).toBeLessThan(0.95 * early);
  });

  test.for([
    { backend: 'torch', precision: 'f32' },
    { backend: 'torch', precision: 'bf16' },
    { backend: 'tensorflow', precision: 'f32' },
  ] as const)(
    '$backend in $precision has the content losses of wasm',
    { timeout: 120_000 },
    async (choice, { skip }) => {
      const probe = probes.find(({ backend }) => backend === choice.backend);
      skip(lacks(choice.backend, !!probe?.found, probe?.detail));
      const { content: losses } = await trainShortly(kind, choice);
      const errors = losses.map((value, i) => Math.abs(value / expected[i] - 1));
      expect(Math.max(...errors), errors.join(' ')).toBeLessThan(limits[choice.precision]);
    },
  );
});
