import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { killAll, type Process } from '../process.js';
import { prepareSmallRuns, startCoordinator, startWorkers, type SmallRuns } from '../small-run.js';

/*
 * A worker hangs in its lease, in a run whose timing waits for it for longer than a test does. test/planted-hang.test.ts runs this file.
 */

let runs: SmallRuns;
let coordinator: Process;

beforeAll(async () => {
  runs = await prepareSmallRuns();
  const run = await runs.create('hangs');
  coordinator = startCoordinator(run);
  const [worker] = startWorkers(run, 1);
  await coordinator.waitFor(({ event }) => event === 'lease', 'a lease');
  worker.child.kill('SIGSTOP');
});
afterAll(async () => {
  await killAll();
  await runs.remove();
});

test('a run whose worker hangs in a lease ends', async () => {
  appendFileSync(String(process.env['FOURFOLD_ATTEMPTS']), 'attempt\n');
  expect(await coordinator.exit).toEqual({ code: 0, signal: null });
});
