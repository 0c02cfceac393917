import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gpuCluster } from '../support/kubernetes.js';
import { commandsWithout, follow } from '../support/guide.js';
import { openReader, type Reader } from '../support/guide-reader.js';
import { certificateSteps, helmSteps, namespaceSteps, photographSteps, runSteps } from '../support/guide-steps.js';

/* docs/kubernetes.md as printed, as far as no container has to run. `npm run guide` follows all of it. */

const steps = [...namespaceSteps, ...photographSteps, ...runSteps, ...helmSteps, ...certificateSteps];

export function testGuide(): void {
  let folder: string;
  let reader: Reader;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-guide-'));
    reader = await openReader((await gpuCluster()).kubeconfig, folder);
  });
  afterAll(async () => {
    await reader?.shell.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('each command of the page has one step', () => {
    expect(commandsWithout(steps)).toEqual([]);
  });

  test('a namespace is prepared, and a run on GPUs is submitted, scaled, listed and cancelled', async () => {
    await follow(
      reader,
      steps.filter((step) => 'simulated' in step),
    );
  });
}
