import { createLogger, FourfoldError } from '@fourfold/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHousekeeping } from './housekeeping.js';

const log = createLogger('test');
log.level = 'silent';
const denied = new FourfoldError('refused', 'photos/checkpoints/1 is not allowed', { mend: 'allow it' });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('what fails is logged, ever more seldom, and counted; nobody hears of it otherwise', async () => {
  const warn = vi.spyOn(log, 'warn');
  const housekeeping = createHousekeeping(log);
  const minutes: number[] = [];
  for (let minute = 0; minute < 24 * 60; minute++) {
    const before = warn.mock.calls.length;
    await housekeeping.tend('checkpoints', () => Promise.reject(denied));
    if (warn.mock.calls.length > before) minutes.push(minute);
    vi.advanceTimersByTime(60_000);
  }
  expect(minutes.slice(0, 8)).toEqual([0, 1, 3, 7, 15, 31, 63, 123]);
  expect(minutes).toHaveLength(29);
  expect(housekeeping.failures()).toEqual({ checkpoints: 1440, pictures: 0, record: 0, metrics: 0 });
  expect(warn.mock.calls[1]).toEqual([
    {
      event: 'housekeeping-failed',
      part: 'checkpoints',
      times: 2,
      reason: 'photos/checkpoints/1 is not allowed; allow it',
    },
    'the run goes on without: checkpoints',
  ]);
});

test('what throws at once is no other than what rejects; what needs no waiting is done at once', async () => {
  const housekeeping = createHousekeeping(log);
  let isDone = false;
  const first = housekeeping.tend('metrics', () => {
    isDone = true;
    throw new TypeError('no number');
  });
  expect(isDone).toBe(true);
  await first;
  expect(housekeeping.failures().metrics).toBe(1);
});
