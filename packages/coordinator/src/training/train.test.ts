import { createLogger, networks, type RunConfig, type Versions } from '@fourfold/common';
import { setImmediate as otherWork } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { smallConfig } from '../test-config.js';
import { createProgress } from './progress.js';
import { reduceReplicas, type ReductionParts } from './reduce-replicas.js';
import { evaluate } from './run-evaluation.js';
import { train, type FinishedUpdate, type Training } from './train.js';

/*
 * The order of a run's steps, by a clock that the test moves. Gradients and evaluations are fakes.
 */

vi.mock(import('./reduce-replicas.js'), async (original) => ({ ...(await original()), reduceReplicas: vi.fn() }));
vi.mock(import('./run-evaluation.js'), async (original) => ({ ...(await original()), evaluate: vi.fn() }));

/** What has happened, in its order. */
let steps: string[];
let versions: Versions;
/** Ends the evaluations that are under way. */
let evaluations: { iteration: number; end: () => void; fail: (error: Error) => void }[];
/** What a reduction does besides. */
let whileReducing: (parts: ReductionParts) => void | Promise<void>;
const stop = { now: new AbortController() };
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  [steps, evaluations] = [[], []];
  versions = { generator: 0, discriminator: 0 };
  whileReducing = () => undefined;
  stop.now = new AbortController();
  vi.mocked(reduceReplicas).mockImplementation(async (parts, { network, position }, signal) => {
    signal.throwIfAborted();
    steps.push(`reduce ${network} ${position.iteration}`);
    await whileReducing(parts);
    return { [network]: position.iteration };
  });
  vi.mocked(evaluate).mockImplementation((_parts, _signal, older) => {
    const iteration = older?.iteration ?? versions.generator;
    steps.push(`evaluate ${iteration}`);
    return new Promise<void>((resolve, reject) => {
      const end = () => {
        steps.push(`evaluated ${iteration}`);
        resolve();
      };
      evaluations.push({ iteration, end, fail: reject });
    });
  });
});
afterEach(() => vi.useRealTimers());

const waiting: string[] = [];
function partsOf(config: RunConfig, changes: Partial<Training> = {}): Training {
  const log = createLogger('test');
  log.level = 'silent';
  vi.spyOn(log, 'info').mockImplementation((about: unknown) => void waiting.push(JSON.stringify(about)));
  const master = {
    updater: {},
    versions: () => ({ ...versions }),
    async update(network: keyof Versions, learningRate: number) {
      steps.push(`update ${network} at ${learningRate}`);
      vi.advanceTimersByTime(1_000);
      versions[network]++;
    },
  };
  const parts = {
    ...{ config, log, master, progress: createProgress(config) },
    board: { describeWaiting: () => 'a worker' },
    checkpoint: async () => steps.push('checkpoint') > 0,
    olderGenerator: async () => undefined,
    async inState<T>(state: string, act: () => Promise<T>) {
      steps.push(state);
      return act();
    },
    ...changes,
  };
  return parts as unknown as Training;
}
const start = (training: Training) => {
  const running = train(training, stop.now.signal);
  running.catch(() => undefined);
  return running;
};
/** Let everything happen that waits for nothing outside. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await otherWork();
};

/** End the evaluations of these iterations one after the other, as they begin. */
async function endEach(...iterations: number[]): Promise<void> {
  for (const iteration of iterations) {
    evaluations.find((other) => other.iteration === iteration)?.end();
    await settle();
  }
}

const phase = (kind: 'mse' | 'gan', iterations: number, learningRate = 1e-3) => ({ kind, iterations, learningRate });
const unsaved = { checkpoints: { every: 100 } };

test('each half is reduced and then applied: the discriminator’s first in an adversarial phase', async () => {
  const phases = [phase('mse', 1), phase('gan', 2, 1e-4)];
  await start(partsOf(smallConfig({ phases, ...unsaved })));
  expect(steps).toEqual([
    ...['reduce generator 0', 'update generator at 0.001', 'checkpoint'],
    ...['reduce discriminator 1', 'update discriminator at 0.0001', 'reduce generator 1', 'update generator at 0.0001'],
    ...['reduce discriminator 2', 'update discriminator at 0.0001', 'reduce generator 2', 'update generator at 0.0001'],
    ...['evaluating', 'checkpoint'],
  ]);
});

test('a run that stopped between the halves resumes with the generator’s', async () => {
  versions = { generator: 0, discriminator: 1 };
  await start(partsOf(smallConfig({ phases: [phase('gan', 1)] })));
  expect(steps[0]).toBe('reduce generator 0');
});

test('an update is reported with its losses and the seconds that its parts took', async () => {
  const updates: FinishedUpdate[] = [];
  whileReducing = async ({ clock }) => {
    vi.advanceTimersByTime(3_000);
    await clock.during('transferring', () => void vi.advanceTimersByTime(2_000));
  };
  await start(partsOf(smallConfig({ phases: [phase('gan', 1)] }), { onUpdate: (update) => updates.push(update) }));
  expect(updates.map(({ half, losses, seconds }) => [half.network, losses, seconds])).toEqual(
    [...networks]
      .reverse()
      .map((network) => [network, { [network]: 0 }, { applying: 1, reducing: 0, transferring: 2, waiting: 3 }]),
  );
});

test('checkpoints are written when they are due, and at the end of each phase', async () => {
  const config = smallConfig({ phases: [phase('mse', 5), phase('mse', 2)], checkpoints: { every: 2 } });
  const checkpoints: number[] = [];
  await start(partsOf(config, { checkpoint: async () => checkpoints.push(versions.generator) > 0 }));
  expect(checkpoints).toEqual([2, 4, 5, 6, 7]);
});

test('a checkpoint that is postponed is tried again after each iteration; one that must be exact waits', async () => {
  const config = smallConfig({ phases: [phase('mse', 9)], checkpoints: { every: 2, keepEvery: 6 } });
  const tries: string[] = [];
  // The store takes until iteration 5 for the first one.
  const checkpoint = async (mayPostpone: boolean) => {
    const iteration = versions.generator;
    const isBegun = !mayPostpone || iteration === 2 || iteration === 5;
    tries.push(`${iteration}${mayPostpone ? '' : ' exactly'}${isBegun ? '' : ' postponed'}`);
    return isBegun;
  };
  await start(partsOf(config, { checkpoint }));
  expect(tries).toEqual(['2', '4 postponed', '5', '6 exactly', '8 postponed', '9 exactly']);
});

const validation = { images: 'v', every: 2 };
const evaluated = smallConfig({ phases: [phase('mse', 5)], validation, ...unsaved });

test('training continues beside an evaluation, and the next one waits for it', async () => {
  const training = start(partsOf(evaluated));
  await settle();
  expect(steps.slice(4)).toEqual([
    ...['evaluate 2', 'checkpoint'],
    ...['reduce generator 2', 'update generator at 0.001', 'reduce generator 3', 'update generator at 0.001'],
  ]);
  evaluations[0].end();
  await settle();
  expect(steps.slice(10, 13)).toEqual(['evaluated 2', 'evaluate 4', 'checkpoint']);
  await endEach(4, 5);
  await training;
});

test('the last evaluation is awaited before the last checkpoint, which has its figures', async () => {
  const training = start(partsOf(smallConfig({ phases: [phase('mse', 2)], validation })));
  await settle();
  expect(steps.slice(4)).toEqual(['evaluate 2', 'evaluating']);
  evaluations[0].end();
  await training;
  expect(steps.slice(6)).toEqual(['evaluated 2', 'checkpoint']);
});

test('a long wait for an evaluation is reported with what it waits for', async () => {
  const training = start(partsOf(evaluated));
  await settle();
  waiting.splice(0);
  vi.advanceTimersByTime(5_000);
  expect(waiting).toEqual(['{"event":"waiting","waitedMs":5000,"for":"a worker"}']);
  await endEach(2, 4, 5);
  await training;
  vi.advanceTimersByTime(60_000);
  expect(waiting).toHaveLength(1);
});

test('an evaluation that fails ends the run when it is awaited', async () => {
  const training = start(partsOf(evaluated));
  await settle();
  evaluations[0].fail(new Error('no pictures'));
  await expect(training).rejects.toThrow('no pictures');
  expect(steps.at(-1)).toBe('update generator at 0.001');
});

test('an early stop rejects with its reason between two updates', async () => {
  const reason = new Error('stopped by SIGTERM');
  let updates = 0;
  const onUpdate = () => void (++updates === 3 && stop.now.abort(reason));
  await expect(start(partsOf(smallConfig(), { onUpdate }))).rejects.toBe(reason);
  expect(steps.filter((step) => step.startsWith('update'))).toHaveLength(3);
});

test('a replica that cannot be reduced ends the run without an update', async () => {
  whileReducing = () => {
    throw new Error('bad gradients');
  };
  await expect(start(partsOf(smallConfig()))).rejects.toThrow('bad gradients');
  expect(steps).toEqual(['reduce discriminator 0']);
});

test('an evaluation that a previous process left undone comes first, with the generator of its checkpoint', async () => {
  versions = { generator: 3, discriminator: 0 };
  const olderGenerator = vi.fn(async () => new Float32Array(1));
  const training = start(partsOf(evaluated, { olderGenerator }));
  await settle();
  expect(olderGenerator).toHaveBeenCalledExactlyOnceWith(2);
  expect(steps.slice(0, 2)).toEqual(['evaluate 2', 'reduce generator 3']);
  await endEach(2, 4, 5);
  await training;
});

test('an evaluation whose checkpoint is gone is left out', async () => {
  versions = { generator: 3, discriminator: 0 };
  const training = start(partsOf(evaluated));
  await settle();
  expect(steps[0]).toBe('reduce generator 3');
  await endEach(4, 5);
  await training;
});

test('a finished run whose last evaluation is missing measures it, and writes a checkpoint with the figures', async () => {
  versions = { generator: 5, discriminator: 0 };
  const training = start(partsOf(evaluated));
  await settle();
  evaluations[0].end();
  await training;
  expect(steps).toEqual(['evaluate 5', 'evaluating', 'evaluated 5', 'checkpoint']);
});
