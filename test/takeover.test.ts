import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { checkpointStore, listCheckpoints, readManifest } from '@fourfold/store';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { expectFinished, fourfold, killAll } from './support/process.js';
import {
  prepareSmallRuns,
  referenceWeights,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRun,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';
import { alert } from './support/timing.js';

/*
 * A coordinator that was cut off publishes a checkpoint long after another one has taken over: it is ignored.
 */

let runs: SmallRuns;
let reference: Weights;

beforeAll(async () => {
  runs = await prepareSmallRuns();
  reference = await referenceWeights();
});
afterEach(killAll);
afterAll(() => runs.remove());

const [firstWritten, laterWritten] = [
  { event: 'checkpoint', iteration: 2 },
  // That of iteration 4 may be postponed.
  { event: 'checkpoint', iteration: [4, 5, 6, 7] },
];

/** Publish a late checkpoint of term 1: whole, of iteration 6, and with weights that differ from the run's. */
async function publishLate(run: SmallRun): Promise<string> {
  const late = '00000006-0001';
  const from = checkpointStore(run.store, '00000002-0001');
  const manifest = await readManifest(from);
  const store = checkpointStore(run.store, late);
  for (const file of Object.keys(manifest.files)) await store.put(file, await from.get(file));
  const versions = { generator: 6, discriminator: 3 };
  await store.put('manifest.json', JSON.stringify({ ...manifest, iteration: 6, versions }));
  return late;
}

test('the run goes on from its newest term’s checkpoint, whatever an older one publishes beyond', async () => {
  const run = await runs.create('late');
  const first = startPart('coordinator', run, freezeAt(runs.folder, firstWritten), ...alert);
  startWorkers(run, 1, ...alert);
  await frozenAt(first, firstWritten);
  const second = startPart('coordinator', run, freezeAt(runs.folder, laterWritten), '--resume', ...alert);
  await frozenAt(second, laterWritten);
  second.child.kill('SIGKILL');
  await second.exit;
  const late = await publishLate(run);

  const [newest, ...others] = (await listCheckpoints(run.store)).reverse();
  expect(newest).toMatch(/-0002$/);
  expect(others).not.toContain(late);
  const listed = await fourfold(['checkpoints', 'ls', run.store.url]);
  expect(listed.stdout).toMatch(new RegExp(`${late} .*superseded: a newer term than 1 had already resumed`));
  const third = startCoordinator(run, '--resume', ...alert);
  const resumed = await third.waitFor(({ event }) => event === 'resumed', 'the resumption');
  expect(resumed['checkpoint']).toBe(newest);
  await expectFinished(third);
  expect(await weightsOf(run)).toEqual(reference);
  expect(await run.store.list(`checkpoints/${late}/`)).toEqual([]);

  thaw(first);
  expect((await first.exit).code).toBe(1);
  expect(first.errors.join('\n')).toMatch(/a newer coordinator \(term 3\) has taken over/);
  expect(await weightsOf(run)).toEqual(reference);
});
