import { createLogger, FourfoldError } from '@fourfold/common';
import { afterEach, expect, test, vi } from 'vitest';
import { createHousekeeping } from './housekeeping.js';

const log = createLogger('test');
log.level = 'silent';
const denied = new FourfoldError('refused', 'photos/checkpoints/1 is not allowed', { hint: 'allow it' });

afterEach(() => {
  vi.restoreAllMocks();
});

test('failures are logged, less and less often, and counted, and go no further', async () => {
  const warn = vi.spyOn(log, 'warn');
  const housekeeping = createHousekeeping(log);
  for (let times = 0; times < 1000; times++) {
    await housekeeping.tend('checkpoints', () => Promise.reject(denied));
  }
  const times = warn.mock.calls.map(([fields]) => (fields as { times: number }).times);
  expect(times).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  expect(housekeeping.failures()).toEqual({ checkpoints: 1000, pictures: 0, record: 0, metrics: 0, reports: 0 });
  expect(warn.mock.calls[1]).toEqual([
    {
      event: 'housekeeping-failed',
      part: 'checkpoints',
      times: 2,
      reason: 'photos/checkpoints/1 is not allowed; allow it',
    },
    'housekeeping failed, the run continues: checkpoints',
  ]);
});

test('throwing is like rejecting; synchronous work is done at once', async () => {
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
