import { createHopBar } from '../exchange/barred-hops.js';
import { createLogger, parseRunConfig } from '@fourfold/common';
import type { PictureScore__Output, Token__Output } from '@fourfold/rpc';
import { afterEach, beforeEach, vi } from 'vitest';
import type { GradientSource } from '../exchange/gradient-pieces.js';
import { createLeaseBoard, type LeaseBoard } from '../leases/lease-board.js';
import { createMaster, type Master } from '../updates/master.js';
import type { Answer, Work } from '../serve/work.js';
import { createProgress, type Progress } from './progress.js';

/*
 * Workers without a wire that measure pictures, and a clock that the test moves. `board`, `master` and `progress` are made anew for
 * each test of the file that imports this one.
 */

export const log = createLogger('test');
log.level = 'silent';
export const leaseMs = 1_000;
export const never = new AbortController().signal;
export const config = parseRunConfig(
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
export const names = Array.from({ length: 20 }, (_, i) => `picture-${String(i).padStart(2, '0')}`);
export const scoreOf = (picture: string): PictureScore__Output => {
  const psnr = 20 + Math.sqrt(names.indexOf(picture));
  return { picture, psnr, ssim: 0.5, bicubicPsnr: 20, bicubicSsim: 0.4 };
};

export let board: LeaseBoard<Work, Answer>;
export let master: Master;
export let progress: Progress;
export const failures = { failed: vi.fn(() => 1), done: vi.fn(), gotOn: vi.fn() };
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
export function join(pictures?: Answer['pictures']) {
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
export const trainingParts = () => ({
  ...{ config, master, board, failures, progress, log },
  exchange: {
    publish: async () => undefined,
    publishEarly: () => () => undefined,
    sum: async function* () {},
    bar: createHopBar(),
    route: () => 'star' as const,
  },
  checkpoint: vi.fn(async () => true),
  olderGenerator: vi.fn(async (): Promise<Float32Array | undefined> => undefined),
  inState: <T>(_: string, act: () => Promise<T>) => act(),
});

/** Let time pass; the board replans. */
export function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
  board.replan();
}

/** The run is resumed: its progress is another object. */
export const replaceProgress = (other: Progress): void => void (progress = other);
export const replaceMaster = (other: Master): void => void (master = other);
