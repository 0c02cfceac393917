import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { setImmediate as otherWork } from 'node:timers/promises';
import { createLogger, parseRunConfig } from '@fourfold/common';
import { openStore, writeCheckpoint, historySchema } from '@fourfold/store';
import type { PictureScore__Output, Token__Output } from '@fourfold/rpc';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { GradientSource } from '../exchange/gradient-pieces.js';
import { createLeaseBoard, type LeaseBoard } from '../leases/lease-board.js';
import { createMaster, type Master } from '../updates/master.js';
import { createProgress, type Progress } from './progress.js';
import { evaluate, lostEvaluation, olderGenerator } from './run-evaluation.js';
import type { Answer, Work } from '../serve/work.js';
import { train } from './train.js';

/*
 * Evaluations that outlast several leases, with workers without a wire and a clock that the test moves.
 */

const log = createLogger('test');
log.level = 'silent';
const leaseMs = 1_000;
const never = new AbortController().signal;
const config = parseRunConfig(
  {
    name: 'small',
    dataset: 'd',
    generator: { channels: 2, blocks: 1 },
    data: { crop: 16 },
    loss: { content: 'mse' },
    phases: [{ kind: 'mse', iterations: 60, learningRate: 1e-3 }],
    validation: { images: 'v', every: 30 },
    timing: { leaseMs, silenceMs: 100_000 },
  },
  'a test',
);
const names = Array.from({ length: 20 }, (_, i) => `picture-${String(i).padStart(2, '0')}`);
const scoreOf = (picture: string): PictureScore__Output => {
  const psnr = 20 + Math.sqrt(names.indexOf(picture));
  return { picture, psnr, ssim: 0.5, bicubicPsnr: 20, bicubicSsim: 0.4 };
};

let board: LeaseBoard<Work, Answer>;
let master: Master;
let progress: Progress;
const failures = { failed: vi.fn(() => 1), done: vi.fn(), gotOn: vi.fn() };
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const workers = { minimumToStart: 1, minimumToContinue: 1 };
  const timing = { ...config.timing, stragglerFactor: 0 };
  board = createLeaseBoard<Work, Answer>(1, { timing, workers, mayGrant: () => true }, log);
  master = createMaster(config);
  progress = createProgress(config);
});
afterEach(async () => {
  vi.useRealTimers();
  await master.close();
});

/** The same gradient for every replica. */
const gradient: GradientSource = async function* ({ begin, layout }) {
  const bytes = new Uint8Array(Float32Array.from({ length: layout.byteLength / 4 }, () => 0.25).buffer);
  yield { begin, byteLength: bytes.byteLength - begin, bytes: bytes.subarray(begin) };
};

/** A worker that answers replicas at once, and measures a picture at each `step` that says so. */
function join(pictures?: Answer['pictures']) {
  const given: {
    token: Token__Output;
    expects: string[];
    measured: string[];
    left: string[];
    scores: PictureScore__Output[];
  }[] = [];
  let isGone = false;
  const worker = board.join({
    grant(token, _leaseMs, work) {
      if ('evaluation' in work) {
        const { measured, picturesSha256, picturesMachine } = work.evaluation;
        const expects = [picturesSha256, picturesMachine];
        given.push({ token, expects, measured, left: names.filter((name) => !measured.includes(name)), scores: [] });
      } else queueMicrotask(() => board.offer(worker, token, { gradient, losses: {}, scores: [] }));
    },
    end: () => undefined,
    drop: () => (isGone = true),
  });
  return {
    given,
    leave: () => board.leave(worker, 'killed'),
    isGone: () => isGone,
    /** Measure the next picture, and report it if `tells`; after the last one the evaluation is done. */
    step(tells = true) {
      const lease = given.at(-1);
      if (isGone) return;
      // Also before its first lease: on a busy machine the first update takes long.
      board.seen(worker);
      if (!lease) return;
      const name = lease.left.shift();
      if (name === undefined) return void board.offer(worker, lease.token, { losses: {}, scores: lease.scores });
      lease.scores.push(scoreOf(name));
      if (tells) board.progress(worker, lease.token, { losses: {}, scores: [scoreOf(name)], pictures });
    },
  };
}

/** The parts that a run trains with, without a process. */
const trainingParts = () => ({
  ...{ config, master, board, failures, progress, log },
  exchange: { publish: async () => undefined },
  checkpoint: vi.fn(async () => undefined),
  olderGenerator: vi.fn(async (): Promise<Float32Array | undefined> => undefined),
  inState: <T>(_: string, act: () => Promise<T>) => act(),
});

/** Let time pass; the board replans. */
function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
  board.replan();
}

test('an evaluation that takes five leases’ time is granted once, and training continues meanwhile', async () => {
  const worker = join();
  const updates: number[] = [];
  const loop = { isWaiting: false, isOver: false, moved: () => {} };
  const training = train(
    {
      ...trainingParts(),
      onUpdate() {
        updates.push(worker.given[0]?.left.length ?? -1);
        loop.moved();
      },
      inState(_, act) {
        loop.isWaiting = true;
        loop.moved();
        return act();
      },
    },
    never,
  ).finally(() => {
    loop.isOver = true;
    loop.moved();
  });
  while (!loop.isOver) {
    // One picture an update; when the loop waits for the evaluation, one after the other.
    if (loop.isWaiting) await otherWork();
    else await new Promise<void>((resolve) => (loop.moved = resolve));
    pass(leaseMs / 4);
    worker.step();
  }
  await training;
  // Two evaluations, after iterations 30 and 60: one grant each.
  expect(worker.given).toHaveLength(2);
  expect(worker.isGone()).toBe(false);
  const meanwhile = updates.filter((left) => left >= 0 && left < names.length);
  expect(meanwhile.length).toBeGreaterThan(10);
  expect(progress.history().evaluations.map(({ iteration, pictures }) => [iteration, pictures.length])).toEqual([
    [30, 20],
    [60, 20],
  ]);
});

const evaluated = () => evaluate({ board, config, failures, master, progress, log }, never);

test('a worker that makes no progress for a lease’s time loses it, however much it has reported before', async () => {
  const worker = join();
  const evaluation = evaluated();
  worker.step();
  pass(2 * leaseMs);
  worker.step();
  pass(2 * leaseMs);
  expect(worker.isGone()).toBe(false);
  worker.step(false);
  pass(1);
  expect(worker.isGone()).toBe(true);
  const other = join();
  for (let i = 0; i <= names.length; i++) other.step();
  await evaluation;
});

test('a worker that takes over an evaluation measures what is left; the figures are bit-identical to one worker’s', async () => {
  const alone = join();
  const first = evaluated();
  for (let i = 0; i <= names.length; i++) alone.step();
  await first;
  alone.leave();

  const [one, two] = [join(), join()];
  const second = evaluated();
  for (let i = 0; i < 7; i++) one.step();
  one.leave();
  expect(two.given[0].measured).toEqual(names.slice(0, 7));
  expect(two.given[0].left).toHaveLength(13);
  for (let i = 0; i < 12; i++) two.step();
  two.leave();
  const three = join();
  // All but one picture have been measured.
  expect(three.given[0].left).toEqual(names.slice(-1));
  for (let i = 0; i < 2; i++) three.step();
  await second;
  const [expected, found] = progress.history().evaluations;
  expect(found).toEqual(expected);
});

test('a worker that takes over when everything is measured has nothing to report, and the evaluation is whole', async () => {
  const one = join();
  const evaluation = evaluated();
  for (let i = 0; i < names.length; i++) one.step();
  one.leave();
  const two = join();
  expect(two.given[0].left).toEqual([]);
  two.step();
  await evaluation;
  expect(progress.history().evaluations[0].pictures).toHaveLength(20);
  expect(failures.failed).not.toHaveBeenCalled();
});

test('progress under a token that is no longer valid, or another worker’s, is ignored', async () => {
  const [one, two] = [join(), join()];
  const evaluation = evaluated();
  const [{ token }] = one.given;
  board.progress(2, token, { losses: {}, scores: [scoreOf(names[0])] });
  one.leave();
  board.progress(1, token, { losses: {}, scores: [scoreOf(names[1])] });
  expect(two.given[0].measured).toEqual([]);
  for (let i = 0; i <= names.length; i++) two.step();
  await evaluation;
});

test('the pictures that were measured first are the run’s, on any machine and however often it is resumed', async () => {
  const one = join({ sha256: 'aa', machine: 'm1' });
  const first = evaluated();
  expect(one.given[0].expects).toEqual(['', '']);
  one.step();
  one.leave();
  const two = join({ sha256: 'aa', machine: 'm2' });
  expect(two.given[0].expects).toEqual(['aa', 'm1']);
  for (let i = 0; i <= names.length; i++) two.step();
  await first;
  const restored = historySchema.parse(JSON.parse(JSON.stringify(progress.history())));
  expect(restored.evaluations[0].of).toEqual({ images: config.validation?.images, sha256: 'aa', machine: 'm1' });
  progress = createProgress(config);
  progress.restore(restored);
  void evaluated().catch(() => undefined);
  expect(two.given[1].expects).toEqual(['aa', 'm1']);
  board.clear();
  // Another URL is another set.
  const other = { ...config, validation: { ...config.validation, images: 'w' } } as typeof config;
  void evaluate({ board, config: other, failures, master, progress, log }, never).catch(() => undefined);
  expect(two.given[2].expects).toEqual(['', '']);
});

describe('an evaluation that was under way when the run ended', () => {
  const at = (generator: number, ...known: number[]) => {
    const evaluations = known.map((iteration) => ({ iteration, psnr: 30, ssim: 0.9, pictures: [] }));
    const versions = () => ({ generator, discriminator: 0 });
    return lostEvaluation(config, { versions }, { history: () => ({ rows: [], evaluations }) });
  };

  test('is the newest that is due, unless its figures are known', () => {
    const found = [at(0), at(29), at(30), at(43), at(43, 30), at(60, 30), at(60, 30, 60)];
    expect(found).toEqual([undefined, undefined, 30, 30, undefined, 60, undefined]);
  });

  /** The state of an iteration, without training up to it. */
  const restoreAt = (generator: number) => {
    const versions = { ...master.versions(), generator };
    master = { ...master, versions: () => versions, update: async () => void versions.generator++ };
  };
  /** Measures until the run is over. */
  async function measureUntil(training: Promise<void>, worker: ReturnType<typeof join>): Promise<void> {
    const running = { isOver: false };
    void training.finally(() => (running.isOver = true)).catch(() => undefined);
    while (!running.isOver) {
      await otherWork();
      worker.step();
    }
    await training;
  }
  const evaluatedIterations = () => progress.history().evaluations.map(({ iteration }) => iteration);

  test('is done again past its iteration, with the generator of its checkpoint, in its order', async () => {
    restoreAt(43);
    const parts = trainingParts();
    const vector = new Float32Array(master.state('generator').vector.length).fill(3);
    parts.olderGenerator.mockResolvedValue(vector);
    const worker = join();
    const training = train(parts, never);
    while (worker.given.length === 0) await otherWork();
    expect(master.serveEvaluated(30)?.vector).toEqual(vector);
    await measureUntil(training, worker);
    expect(parts.olderGenerator).toHaveBeenCalledExactlyOnceWith(30);
    expect(evaluatedIterations()).toEqual([30, 60]);
  });

  test('is done again at the schedule’s end, and its figures get a checkpoint', async () => {
    restoreAt(60);
    const parts = trainingParts();
    const worker = join();
    await measureUntil(train(parts, never), worker);
    expect(evaluatedIterations()).toEqual([60]);
    expect(parts.checkpoint).toHaveBeenCalledOnce();
  });

  test('is left out where its checkpoint is gone or damaged', async () => {
    restoreAt(43);
    const worker = join();
    await measureUntil(train(trainingParts(), never), worker);
    expect(evaluatedIterations()).toEqual([60]);
  });

  test('its generator is the one of the newest checkpoint of that iteration', async () => {
    const folder = await mkdtemp(joinPath(tmpdir(), 'fourfold-older-'));
    try {
      const run = openStore(folder);
      const facts = {
        ...{ run: 'small', term: 1, config, seed: config.seed, datasetSha256: '', workerKind: '' },
        ...{ iteration: 30, versions: { generator: 30, discriminator: 0 }, finished: false },
        history: { rows: [], evaluations: [] },
      };
      const files = Object.fromEntries(Object.entries(master.files()).map(([file, encode]) => [file, encode()]));
      await writeCheckpoint(run, facts, files, async () => undefined);
      expect(await olderGenerator(run, 30, log)).toEqual(master.state('generator').vector);
      expect(await olderGenerator(run, 60, log)).toBeUndefined();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
