import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probeBackends } from '@fourfold/model';
import { expectFinished, killAll, startFourfold } from './support/process.js';

/*
 * `fourfold demo --quick`: from photographs to a report, on the best backend that is set up, which it names.
 */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-demo-'));
});
afterAll(async () => {
  await killAll();
  await rm(folder, { recursive: true });
});

test('says what it computes on, and measures what it trained', { timeout: 600_000 }, async () => {
  // It writes into its working directory.
  const demo = startFourfold(['demo', '--quick'], ['env', '-C', folder]);
  await expectFinished(demo);
  const best = probeBackends().find(({ found }) => found);
  expect(demo.output()).toContain(`computing on ${best?.backend} (${best?.detail})`);
  const report = JSON.parse(await readFile(join(folder, 'out/demo/report.json'), 'utf8')) as {
    machine: { backend: { backend: string } };
    methods: Record<string, { mean: { psnr: number } }>;
  };
  expect(report.machine.backend.backend).toBe(best?.backend);
  const measured = ['bicubic', 'end of mse', 'end of gan', 'srresnet-mse'];
  expect(Object.keys(report.methods)).toEqual(expect.arrayContaining(measured));
});
