import { createLogger, FourfoldError, type Versions } from '@fourfold/common';
import { beforeEach, expect, test, vi } from 'vitest';
import { writeLastCheckpoint } from './last-checkpoint.js';

const log = createLogger('test');
log.level = 'silent';

let versions: Versions;
let saveFailure: Error | undefined;
let settleFailure: Error | undefined;
let done: string[];
beforeEach(() => {
  versions = { generator: 7, discriminator: 7 };
  saveFailure = settleFailure = undefined;
  done = [];
});

const note = (what: string, failure: () => Error | undefined) => async () => {
  const error = failure();
  if (error) throw error;
  done.push(what);
};
const end = (isLost = false) =>
  writeLastCheckpoint({
    saver: {
      save: () => note('save', () => saveFailure)().then(() => true),
      settled: note('settled', () => settleFailure),
    },
    master: { versions: () => versions },
    begun: { generator: 5, discriminator: 5 },
    isLost,
    log,
  });

test('the last state is written, and waited for', async () => {
  expect(await end()).toBeUndefined();
  expect(done).toEqual(['save', 'settled']);
});

test('also between the halves of an iteration; without progress nothing is written', async () => {
  versions = { generator: 5, discriminator: 6 };
  await end();
  versions = { generator: 5, discriminator: 5 };
  await end();
  expect(done).toEqual(['save', 'settled', 'settled']);
});

test('after a lost term or store nothing new is written', async () => {
  await end(true);
  expect(done).toEqual(['settled']);
});

test('a checkpoint that cannot be written is reported and logged, and nothing rejects', async () => {
  const error = vi.spyOn(log, 'error');
  saveFailure = new FourfoldError('no-space', 'the disk is full');
  expect(await end()).toBe(saveFailure);
  [saveFailure, settleFailure] = [undefined, new Error('the checkpoint before it')];
  expect(await end()).toBe(settleFailure);
  expect(error.mock.calls.map(([fields]) => fields)).toEqual([
    { event: 'no-last-checkpoint', iteration: 7, reason: 'the disk is full' },
    { event: 'no-last-checkpoint', iteration: 7, reason: 'the checkpoint before it' },
  ]);
});
