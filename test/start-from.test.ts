import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { checkpointStore, listCheckpoints } from '@fourfold/store';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { expectFinished, killAll, type LogEvent } from './support/process.js';
import {
  prepareSmallRuns,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRun,
  type SmallRuns,
} from './support/small-run.js';

/*
 * A `gan` run that starts from the generator of a finished `mse` run.
 */

let runs: SmallRuns;
let pretrained: SmallRun;
const mse = ['--set', 'phases=[{ kind: mse, iterations: 3, learningRate: 1.0e-3 }]'];

beforeAll(async () => {
  runs = await prepareSmallRuns();
  pretrained = await runs.create('pretrained');
});
afterEach(killAll);
afterAll(() => runs.remove());

async function finish(run: SmallRun, args: string[]): Promise<void> {
  const coordinator = startCoordinator(run, ...args, '--resume');
  startWorkers(run, 1, ...args);
  await expectFinished(coordinator);
}

/** The generator's file in a run's first or last checkpoint. */
async function generatorIn(run: SmallRun, which: 0 | -1): Promise<Buffer> {
  const name = (await listCheckpoints(run.store)).at(which) as string;
  return checkpointStore(run.store, name).get('generator.safetensors');
}

test('a run that is unfinished or missing is refused by name', async () => {
  const run = await runs.create('refused');
  const missing = startCoordinator(run, '--set', `startFrom=${pretrained.store.url}`);
  expect(await missing.exit).toEqual({ code: 2, signal: null });
  expect(missing.errors.join('\n')).toMatch(/^fourfold: no checkpoint at .*pretrained/);

  const second = { event: 'update', iteration: 1 };
  const coordinator = startPart('coordinator', pretrained, freezeAt(runs.folder, second), ...mse);
  const [worker] = startWorkers(pretrained, 1, ...mse);
  await frozenAt(coordinator, second);
  // Without its worker it cannot reach the third.
  worker.child.kill('SIGKILL');
  coordinator.child.kill('SIGTERM');
  thaw(coordinator);
  expect(await coordinator.exit).toEqual({ code: 143, signal: null });
  const unfinished = startCoordinator(run, '--set', `startFrom=${pretrained.store.url}`);
  expect(await unfinished.exit).toEqual({ code: 2, signal: null });
  expect(unfinished.errors.join('\n')).toMatch(/startFrom: run pretrained is not finished, it is at iteration/);
});

test('it starts with that generator, and ends the same whatever is killed, and whatever happens to the other run', async () => {
  await finish(pretrained, mse);
  const startFrom = ['--set', `startFrom=${pretrained.store.url}`, '--set', 'checkpoints.keep=9'];
  const undisturbed = await runs.create('undisturbed');
  await finish(undisturbed, startFrom);
  expect(await generatorIn(undisturbed, 0)).toEqual(await generatorIn(pretrained, -1));
  expect((await listCheckpoints(undisturbed.store)).at(-1)).toMatch(/^0*5-/);
  expect(await generatorIn(undisturbed, -1)).not.toEqual(await generatorIn(pretrained, -1));

  const killed = await runs.create('killed');
  const coordinator = startCoordinator(killed, ...startFrom);
  startWorkers(killed, 2, ...startFrom);
  await coordinator.waitFor(({ event }: LogEvent) => event === 'checkpoint', 'the first checkpoint');
  coordinator.child.kill('SIGKILL');
  await coordinator.exit;
  for (const { key } of await pretrained.store.list('checkpoints/')) await pretrained.store.remove(key);
  const successor = startCoordinator(killed, ...startFrom, '--resume');
  await expectFinished(successor);
  expect(await weightsOf(killed)).toEqual(await weightsOf(undisturbed));
});
