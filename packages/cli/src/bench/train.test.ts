import { expect, test } from 'vitest';
import { generatorUpdates, paceOf } from './train.js';

test('the generator’s updates are read from a run’s log, and other lines are ignored', () => {
  const log = [
    '{"level":30,"time":90,"role":"coordinator","event":"listening","msg":"listening"}',
    '{"level":20,"time":100,"event":"update","network":"discriminator","iteration":0}',
    '{"level":20,"time":120,"event":"update","network":"generator","iteration":0}',
    'a line that a library wrote',
    '{"level":20,"time":150,"event":"update","network":"generator","iteration":1}',
    '',
  ].join('\n');
  expect(generatorUpdates(log)).toEqual([120, 150]);
});

test('the pace has the median of the gaps and the mean rate', () => {
  expect(paceOf([1000, 1010, 1020, 1120])).toEqual({ medianMs: 10, iterationsPerSecond: 25 });
});
