import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { FourfoldError } from './errors.js';
import {
  failureCode,
  failureError,
  growingPauseMs,
  lossError,
  pauseAfterLosses,
  judge,
  maxInARow,
  maxTries,
  type Circumstances,
  type Failure,
  type FailureCode,
  type Verdict,
} from './failures.js';

/** A process on machine a that joined at 100 and failed at 110. */
const fails = (code: FailureCode, more: Partial<Failure> = {}): Failure => ({
  code,
  machine: 'a',
  process: 9,
  begunMs: 100,
  failedMs: 110,
  ...more,
});
/** A process that failed before that one joined. */
const before = (code: FailureCode, machine = 'a', more: Partial<Failure> = {}): Failure =>
  fails(code, { machine, process: 1, begunMs: 0, failedMs: 50, ...more });
const alone = ['a'];
const two = ['a', 'b'];
const three = ['a', 'b', 'c'];

interface Scenario extends Partial<Omit<Circumstances, 'machines'>> {
  code: FailureCode;
  machines?: string[];
  is: Verdict;
}

test.each<[string, Scenario]>([
  ['the coordinator has moved on', { code: 'stale', is: 'stale' }],

  ['a failure that may pass is retried', { code: 'unavailable', is: 'retry' }],
  ['... up to its tries', { code: 'unavailable', times: maxTries - 1, is: 'retry' }],
  ['... then the process leaves', { code: 'unavailable', times: maxTries, is: 'this machine' }],
  ['... or when it no longer succeeds at anything', { code: 'unavailable', inARow: maxInARow, is: 'this machine' }],
  ['an object that was replaced while being read is read again', { code: 'conflict', is: 'retry' }],

  ['a shard is missing: here', { code: 'not-found', is: 'this machine' }],
  ['a shard is damaged: here', { code: 'corrupt', is: 'this machine' }],
  ['a picture cannot be decoded: here', { code: 'invalid', is: 'this machine' }],
  ['the disk is full: here', { code: 'no-space', is: 'this machine' }],
  ['the keys are refused: here', { code: 'refused', is: 'this machine' }],
  ['the compute thread died: here', { code: 'fault', is: 'this machine' }],

  [
    'two machines say the same about the input',
    { code: 'not-found', earlier: [before('not-found', 'b')], is: 'the run' },
  ],
  [
    '... even if a third was not asked',
    { code: 'corrupt', earlier: [before('corrupt', 'b')], machines: three, is: 'the run' },
  ],
  ['two machines say different things', { code: 'corrupt', earlier: [before('invalid', 'b')], is: 'this machine' }],
  [
    'two processes of one machine say the same, and there is another machine',
    { code: 'not-found', earlier: [before('not-found')], is: 'this machine' },
  ],
  [
    'two machines’ disks are full: a third may have room',
    { code: 'no-space', earlier: [before('no-space', 'b')], machines: three, is: 'this machine' },
  ],
  ['all machines’ disks are full', { code: 'no-space', earlier: [before('no-space', 'b')], is: 'the run' }],
  [
    'one machine: a fresh process says the same',
    { code: 'not-found', machines: alone, earlier: [before('not-found')], is: 'the run' },
  ],
  [
    '... unless others may still join',
    { code: 'not-found', machines: alone, othersMayCome: true, earlier: [before('not-found')], is: 'this machine' },
  ],
  [
    '... also about a failure that may pass, when its tries are spent',
    { code: 'unavailable', times: maxTries, machines: alone, earlier: [before('unavailable')], is: 'the run' },
  ],
  ['... not before', { code: 'unavailable', machines: alone, earlier: [before('unavailable')], is: 'retry' }],
  [
    'one machine: a process that was already running is not fresh',
    { code: 'no-space', machines: alone, earlier: [before('no-space', 'a', { failedMs: 105 })], is: 'this machine' },
  ],
  [
    'one machine: a fresh process says something else',
    { code: 'no-space', machines: alone, earlier: [before('not-found')], is: 'this machine' },
  ],
  [
    '... until it is clear that no process is fit',
    {
      code: 'no-space',
      machines: alone,
      earlier: (['not-found', 'fault', 'refused', 'corrupt', 'invalid'] as const).map((code) => before(code)),
      is: 'the run',
    },
  ],
  [
    '... and no machine is left to ask',
    {
      code: 'no-space',
      machines: two,
      earlier: (['not-found', 'fault', 'refused', 'corrupt', 'invalid'] as const).map((code) => before(code)),
      is: 'this machine',
    },
  ],

  ['a gradient is not finite: it is computed again', { code: 'bad-result', is: 'retry' }],
  [
    '... on the only machine until its tries are spent',
    { code: 'bad-result', times: maxTries, machines: alone, is: 'the run' },
  ],
  ['... if there are others, its machine leaves', { code: 'bad-result', times: maxTries, is: 'this machine' }],
  [
    '... unless another machine’s was not finite either',
    { code: 'bad-result', times: maxTries, earlier: [before('bad-result', 'b')], is: 'the run' },
  ],
  ['a worker that gives no usable answer leaves', { code: 'bad-result', inARow: maxInARow, is: 'this machine' }],
])('%s', (_, { code, machines = two, is, times = 1, inARow = times, earlier = [], othersMayCome }) => {
  expect(judge(fails(code), { times, inARow, earlier, othersMayCome, machines: new Set(machines) })).toBe(is);
});

describe('the kind of failure of an error', () => {
  const ofSystem = (code: string) => Object.assign(new Error(code), { code, syscall: 'open' });
  const rpc = (code: number) => Object.assign(new Error('of a call'), { code });
  test.each<[string, unknown, FailureCode]>([
    ['a FourfoldError', new FourfoldError('corrupt', 'a shard is damaged'), 'corrupt'],
    ['a call’s FAILED_PRECONDITION', rpc(status.FAILED_PRECONDITION), 'stale'],
    ['any other end of a call', rpc(status.UNAVAILABLE), 'unavailable'],
    ['a missing file', ofSystem('ENOENT'), 'not-found'],
    ['a disk that fails', ofSystem('EIO'), 'unavailable'],
    ['a TypeError', new TypeError('x is undefined'), 'fault'],
    ['no error at all', 'nonsense', 'fault'],
  ])('%s', (_, error, code) => {
    expect(failureCode(error)).toBe(code);
  });

  test.each<[FailureCode, string]>([
    ['not-found', 'not-found'],
    ['bad-result', 'invalid'],
    ['fault', 'unavailable'],
  ])('%s ends a process or a run as %s', (code, as) => {
    expect(failureError(code, 'why')).toMatchObject({ code: as, message: 'why' });
  });
});

describe('a lease whose holders are lost without a message', () => {
  const patienceMs = 600_000;
  const lossesOf = (machines: string[], everyMs: number) =>
    machines.map((machine, i) => ({ machine, process: i + 1, lostMs: i * everyMs }));
  const after = (machines: string[], everyMs: number, there: string[] = ['a', 'b']) =>
    pauseAfterLosses(lossesOf(machines, everyMs), { machines: new Set(there), patienceMs }, () => 1);
  const times = (count: number, ...machines: string[]) =>
    Array.from({ length: count }, (_, i) => machines[i % machines.length]);

  test('it moves at once at first, then after growing pauses', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 8, 9, 30].map((count) => after(times(count, 'a', 'b'), 1_000));
    expect(pauses).toEqual([0, 0, 0, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
  });

  test('neither many losses in a short time nor few over a long time end a run', () => {
    expect(after(times(50, 'a', 'b'), 10_000)).toBe(60_000);
    expect(after(times(7, 'a', 'b'), 1_000_000)).toBe(16_000);
  });

  test('many losses over a long time end it, by two machines or the only one', () => {
    expect(after(times(8, 'a', 'b'), 100_000, ['a', 'b', 'c'])).toBeUndefined();
    expect(after(times(8, 'a'), 100_000, ['a'])).toBeUndefined();
    // There is another machine, which has not had the lease.
    expect(after(times(8, 'a'), 100_000)).toBe(32_000);
  });

  test('the error says which lease, where, how often and what to look at', () => {
    const error = lossError('generator 12.3', lossesOf(['a', 'b', 'a'], 100_000));
    expect(error.code).toBe('unavailable');
    expect(error.message).toBe(
      'generator 12.3 was lost 3 times in 200 s, by workers 1, 2, 3 on machines a, b, without a message from them',
    );
    expect(error.options.hint).toMatch(/memory/);
  });
});

test('pauses grow up to the longest, with jitter', () => {
  const pauses = { firstMs: 100, longestMs: 5_000 };
  const highest = [1, 2, 3, 7, 99, 9_999].map((times) => growingPauseMs(times, pauses, () => 1));
  expect(highest).toEqual([100, 200, 400, 5_000, 5_000, 5_000]);
  expect(growingPauseMs(2, pauses, () => 0)).toBe(150);
});
