import { PassThrough, Readable } from 'node:stream';
import type { V1Pod } from '@kubernetes/client-node';
import { afterEach, expect, test, vi } from 'vitest';
import { lastLine } from './last-line.js';

const pods: V1Pod[] = [
  { metadata: { name: 'new' }, status: { phase: 'Running', startTime: new Date(2_000) } },
  { metadata: { name: 'old' }, status: { phase: 'Failed', startTime: new Date(1_000) } },
];

afterEach(() => vi.useRealTimers());

test('the last line is that of the newest pod', async () => {
  const openLog = ({ metadata }: V1Pod) => Promise.resolve(Readable.from([`of ${metadata?.name}\n`]));
  expect(await lastLine({ openLog }, pods)).toBe('of new');
});

test.each([
  ['does not answer', () => new Promise<Readable>(() => undefined)],
  ['stalls within the line', () => Promise.resolve(new PassThrough().setEncoding('utf8'))],
])('there is no line of a log that %s', async (_, openLog) => {
  vi.useFakeTimers();
  const line = lastLine({ openLog }, pods);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await line).toBeUndefined();
});

test('there is no line of a log whose connection breaks', async () => {
  const broken = new PassThrough();
  broken.destroy(new Error('socket hang up'));
  expect(await lastLine({ openLog: () => Promise.resolve(broken) }, pods)).toBeUndefined();
});
