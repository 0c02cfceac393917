import { setImmediate as otherWork } from 'node:timers/promises';
import { createLogger, parseRunConfig, type PictureScore__Output, type Token__Output } from '@fourfold/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { GradientSource } from './gradient-pieces.js';
import { createLeaseBoard, type LeaseBoard } from './lease-board.js';
import { createMaster, type Master } from './master.js';
import { createProgress, type Progress } from './progress.js';
import { evaluate } from './run-evaluation.js';
import type { Answer, Work } from './service.js';
import { train } from './train.js';

/*
 * Evaluations that take several leases' time, by workers without a wire and a clock that the test moves.
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
function join() {
  const given: { token: Token__Output; measured: string[]; left: string[]; scores: PictureScore__Output[] }[] = [];
  let isGone = false;
  const worker = board.join({
    grant(token, _leaseMs, work) {
      if ('evaluation' in work) {
        const { measured } = work.evaluation;
        given.push({ token, measured, left: names.filter((name) => !measured.includes(name)), scores: [] });
      } else queueMicrotask(() => board.offer(worker, token, { gradient, losses: {}, scores: [] }));
    },
    end: () => undefined,
    drop: () => (isGone = true),
  });
  return {
    given,
    leave: () => board.leave(worker, 'killed'),
    isGone: () => isGone,
    /** Measure the next picture, and tell so if `tells`; after the last one the evaluation is done. */
    step(tells = true) {
      const lease = given.at(-1);
      if (!lease || isGone) return;
      board.seen(worker);
      const name = lease.left.shift();
      if (name === undefined) return void board.offer(worker, lease.token, { losses: {}, scores: lease.scores });
      lease.scores.push(scoreOf(name));
      if (tells) board.progress(worker, lease.token, { losses: {}, scores: [scoreOf(name)] });
    },
  };
}

/** Time goes by, and the board looks. */
function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
  board.replan();
}

test('an evaluation of five leases’ time is granted once, and training goes on meanwhile', async () => {
  const worker = join();
  const updates: number[] = [];
  const running = { isOver: false };
  const training = train(
    {
      ...{ config, master, board, failures, progress, log },
      exchange: { publish: async () => undefined },
      checkpoint: async () => undefined,
      inState: (_, act) => act(),
      onUpdate: () => updates.push(worker.given[0]?.left.length ?? -1),
    },
    never,
  ).finally(() => (running.isOver = true));
  while (!running.isOver) {
    await otherWork();
    const before = updates.length;
    pass(leaseMs / 4);
    worker.step();
    // The loop has as much time for an update as it takes, unless it waits for the evaluation.
    for (let turns = 0; turns < 200 && updates.length === before && !running.isOver; turns++) await otherWork();
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

const evaluated = () => evaluate({ board, failures, master, progress, log }, never);

test('a worker that makes no progress for a lease’s time loses it, however much it has told before', async () => {
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

test('who takes an evaluation over measures what is left; the figures are those of one worker alone, to the bit', async () => {
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
  // All but one have been measured.
  expect(three.given[0].left).toEqual(names.slice(-1));
  for (let i = 0; i < 2; i++) three.step();
  await second;
  const [expected, found] = progress.history().evaluations;
  expect(found).toEqual(expected);
});

test('who takes over when all is measured has nothing to tell, and the evaluation is whole', async () => {
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

test('progress under a token that is not valid any more, or of another worker, counts for nothing', async () => {
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
