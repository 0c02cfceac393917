import { expect, test } from 'vitest';
import { plan, type LeaseView, type PlanOptions, type TaskView, type WorkerView } from './plan.js';

const usualMs = (kind: string): number | undefined => ({ usual: 100, long: 1000 })[kind];
const options: PlanOptions = { silenceMs: 1000, leasesAWorker: 2, minimumWorkers: 1, stragglerFactor: 3, usualMs };
const alive = (...ids: number[]): WorkerView[] => ids.map((id) => ({ id, lastSeenMs: 0 }));
const task = (key: string, more: Partial<TaskView> = {}): TaskView => ({
  key,
  priority: 0,
  isReady: false,
  leases: [],
  failedWorkers: new Map(),
  ...more,
});
const leaseOf = (worker: number, grantedMs = 0, deadlineMs = 9999): LeaseView => ({ worker, grantedMs, deadlineMs });
const grants = (tasks: TaskView[], workers: WorkerView[], nowMs = 0, more: Partial<PlanOptions> = {}) =>
  plan(nowMs, workers, tasks, { ...options, ...more }).flatMap((d) => (d.type === 'grant' ? [[d.task, d.worker]] : []));

test('tasks are spread over the workers, up to the bound', () => {
  expect(
    grants(
      ['a', 'b', 'c', 'd', 'e'].map((key) => task(key)),
      alive(1, 2),
    ),
  ).toEqual([
    ['a', 1],
    ['b', 2],
    ['c', 1],
    ['d', 2],
  ]);
});

test('a worker gets what it has in its cache, but not more than its share', () => {
  const tasks = [task('a', { preferredWorker: 2 }), task('b', { preferredWorker: 2 })];
  expect(grants(tasks, alive(1, 2))).toEqual([
    ['a', 2],
    ['b', 1],
  ]);
});

test('a task that rests is not granted, neither as an open task nor as a straggler’s', () => {
  const late = { leases: [leaseOf(1)], kind: 'usual' };
  const tasks = [task('a', { restsUntilMs: 5_000 }), task('b', { ...late, restsUntilMs: 5_000 }), task('c')];
  const workers = alive(1, 2).map((worker) => ({ ...worker, lastSeenMs: 5_000 }));
  expect(grants(tasks, workers, 4_999)).toEqual([['c', 2]]);
  expect(grants(tasks, workers, 5_000).map(([key]) => key)).toContain('a');
});

test('a worker that failed at a task gets it again only when all others have failed too', () => {
  const failed = (...ids: number[]) => [
    task('a', { preferredWorker: 1, failedWorkers: new Map(ids.map((id) => [id, 0])) }),
  ];
  expect(grants(failed(1), alive(1, 2))).toEqual([['a', 2]]);
  expect(grants(failed(1, 2), alive(1, 2))).toEqual([['a', 1]]);
  // The other worker is busy: its turn comes.
  const busy = ['b', 'c'].map((key) => task(key, { leases: [leaseOf(2)] }));
  expect(grants([...failed(1), ...busy], alive(1, 2))).toEqual([]);
});

test('a worker that failed at a task waits before it tries again', () => {
  const failed = [task('a', { failedWorkers: new Map([[1, 500]]) })];
  expect(grants(failed, alive(1), 499)).toEqual([]);
  expect(grants(failed, alive(1), 500)).toEqual([['a', 1]]);
  expect(grants(failed, alive(1, 2), 0)).toEqual([['a', 2]]);
  // When all have failed, the first whose pause is over gets it.
  const both = [
    task('a', {
      failedWorkers: new Map([
        [1, 500],
        [2, 300],
      ]),
    }),
  ];
  expect(grants(both, alive(1, 2), 400)).toEqual([['a', 2]]);
});

test('a worker that rests gets nothing while another is free', () => {
  const workers = [{ id: 1, lastSeenMs: 0, restsUntilMs: 500 }, ...alive(2)];
  const tasks = [task('a', { preferredWorker: 1 }), task('b'), task('c')];
  expect(grants(tasks, workers, 499)).toEqual([
    ['a', 2],
    ['b', 2],
  ]);
  expect(grants([task('a', { preferredWorker: 1 })], workers, 500)).toEqual([['a', 1]]);
  expect(grants([task('a')], workers.slice(0, 1), 0)).toEqual([['a', 1]]);
  // It keeps the leases that it has.
  expect(grants([task('a', { leases: [leaseOf(1)] })], workers, 0)).toEqual([]);
});

test('a silent worker is dropped and its tasks move', () => {
  const workers = [
    { id: 1, lastSeenMs: 0 },
    { id: 2, lastSeenMs: 1400 },
  ];
  const tasks = [task('a', { leases: [leaseOf(1)] }), task('b', { isReady: true, leases: [leaseOf(1)] })];
  expect(plan(1500, workers, tasks, options)).toEqual([
    { type: 'drop', worker: 1, reason: 'silent for 1500 ms' },
    { type: 'grant', task: 'a', worker: 2, because: 'open' },
    { type: 'grant', task: 'b', worker: 2, because: 'open' },
  ]);
});

test('a worker whose lease ran out is dropped; a result that waits to be pulled has no deadline', () => {
  const tasks = [
    task('a', { leases: [leaseOf(1, 0, 400)] }),
    task('b', { isReady: true, leases: [leaseOf(2, 0, 400)] }),
  ];
  expect(plan(500, alive(1, 2), tasks, options)).toEqual([
    { type: 'drop', worker: 1, reason: 'its lease of a ran out' },
    { type: 'grant', task: 'a', worker: 2, because: 'open' },
  ]);
});

test('low priority waits for the others', () => {
  const tasks = [task('evaluation', { priority: 1 }), task('a'), task('b')];
  expect(grants(tasks, alive(1))).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
});

test('no workers: nothing happens', () => {
  expect(plan(0, [], [task('a')], options)).toEqual([]);
});

test('fewer workers than the minimum: nothing is granted, and silent workers are still dropped', () => {
  expect(grants([task('a')], alive(1, 2), 0, { minimumWorkers: 3 })).toEqual([]);
  expect(grants([task('a')], alive(1, 2, 3), 0, { minimumWorkers: 3 })).toEqual([['a', 1]]);
  const silent = plan(1500, alive(1), [task('a')], { ...options, minimumWorkers: 3 });
  expect(silent).toEqual([{ type: 'drop', worker: 1, reason: 'silent for 1500 ms' }]);
});

test('a dropped worker does not count towards the minimum', () => {
  const workers = [...alive(1), { id: 2, lastSeenMs: 1400 }];
  expect(grants([task('a')], workers, 1500, { minimumWorkers: 2 })).toEqual([]);
});

const slow = (worker: number, more: Partial<TaskView> = {}) =>
  task(`of ${worker}`, { leases: [leaseOf(worker)], kind: 'usual', ...more });

test('an idle worker also computes a straggler’s task', () => {
  expect(plan(301, alive(1, 2), [slow(1)], options)).toEqual([
    { type: 'grant', task: 'of 1', worker: 2, because: 'straggler' },
  ]);
});

test.each<[string, TaskView[], number, Partial<PlanOptions>]>([
  ['it is not that late yet', [slow(1)], 299, {}],
  ['the usual time is not known', [slow(1, { kind: undefined })], 900, {}],
  ['it has been answered', [slow(1, { isReady: true })], 900, {}],
  ['two workers compute it already', [slow(1, { leases: [leaseOf(1), leaseOf(3)] })], 900, {}],
  ['the idle worker has failed at it', [slow(1, { failedWorkers: new Map([2, 3].map((id) => [id, 0])) })], 900, {}],
  ['nobody is idle', [slow(1), slow(2, { kind: 'long' }), slow(3, { kind: 'long' })], 900, {}],
  ['the config does not want it', [slow(1)], 900, { stragglerFactor: 0 }],
])('no second lease: %s', (_, tasks, nowMs, more) => {
  expect(grants(tasks, alive(1, 2, 3), nowMs, more)).toEqual([]);
});

test('open tasks go first; the slowest straggler is next', () => {
  const tasks = [slow(1), slow(2, { leases: [leaseOf(2, -50)] }), task('a')];
  expect(grants(tasks, alive(1, 2, 3, 4), 900)).toEqual([
    ['a', 3],
    ['of 2', 4],
  ]);
});

test('one of two workers with a task is lost: the other keeps the task, and nobody else gets it', () => {
  const workers = [{ id: 1, lastSeenMs: -2000 }, ...alive(2)];
  const tasks = [slow(1, { leases: [leaseOf(1), leaseOf(2)], kind: undefined })];
  expect(plan(0, workers, tasks, options)).toEqual([{ type: 'drop', worker: 1, reason: 'silent for 2000 ms' }]);
});

const places = (count: number) =>
  Array.from({ length: count }, (_, i) => task(String(i), { place: i / count, preferredWorker: 1 }));

test('tasks with a place are spread in blocks: neighbours go to one worker, and workers of one host are neighbours', () => {
  const workers = alive(1, 2, 3).map((worker) => ({ ...worker, host: worker.id === 2 ? 'b' : 'a' }));
  expect(Object.fromEntries(grants(places(6), workers))).toEqual({ 0: 1, 1: 1, 2: 3, 3: 3, 4: 2, 5: 2 });
  // Of a long block a worker gets its next task when it has done one; the others take none of it.
  const begun = places(8).map((each, i) => (i < 2 ? { ...each, leases: [leaseOf(1)] } : each));
  expect(Object.fromEntries(grants(begun, alive(1, 2)))).toEqual({ 5: 2, 6: 2 });
});

test('an idle worker helps at the end of a block next to its own, and nobody else does', () => {
  const held = (holders: Record<number, number>, isReady: (place: number) => boolean) =>
    places(6).map((each, i) => ({
      ...each,
      ...(i in holders && { leases: [leaseOf(holders[i])], isReady: isReady(i) }),
    }));
  const idle = held({ 0: 1, 1: 1, 3: 2, 4: 2 }, (i) => i < 2);
  expect(grants(idle, alive(1, 2))).toEqual([['2', 1]]);
  // The middle of its own block comes first, so that its ends are left for neighbours.
  const first = held({ 1: 1, 2: 1, 4: 2, 5: 2 }, (i) => i < 3);
  expect(grants(first, alive(1, 2))).toEqual([['0', 1]]);
  // Of three workers the one in the middle is late, and both others are idle.
  const late = places(9).map((each, i) => {
    const worker = Math.floor(i / 3) + 1;
    return i === 5 ? each : { ...each, leases: [leaseOf(worker)], isReady: worker !== 2 };
  });
  expect(grants(late, alive(1, 2, 3))).toEqual([['5', 3]]);
  const busy = held({ 0: 1, 1: 1, 3: 2, 4: 2 }, (i) => i === 0);
  expect(grants(busy.slice(0, 5), alive(1, 2))).toEqual([['2', 1]]);
  expect(grants(busy.slice(3), alive(1, 2))).toEqual([]);
  // Where a worker has failed, anybody may.
  const failed = idle.map((each) => ({ ...each, failedWorkers: new Map([[1, 0]]) }));
  expect(grants(failed, alive(1, 2))).toEqual([]);
  expect(grants(failed, alive(1, 2, 3))).toContainEqual(['2', 3]);
});

test('however fast workers are, each ends with one piece', () => {
  for (const [replicas, workers] of [
    [8, 2],
    [9, 3],
    [16, 3],
    [7, 5],
  ]) {
    for (let slowest = 1; slowest <= workers; slowest++) {
      const tasks = places(replicas);
      const isDone = () => tasks.every(({ isReady }) => isReady);
      // The slowest answers only when nobody else can.
      for (let turn = 0; !isDone(); turn++) {
        const ids = Array.from({ length: workers }, (_, i) => i + 1);
        for (const [key, worker] of grants(tasks, alive(...ids))) {
          tasks[Number(key)] = { ...tasks[Number(key)], leases: [leaseOf(Number(worker))] };
        }
        const running = tasks.filter(({ isReady, leases }) => !isReady && leases.length > 0);
        const next = running.find(({ leases }) => leases[0].worker !== slowest) ?? running[0];
        tasks[Number(next.key)] = { ...next, isReady: true };
      }
      const holders = tasks.map(({ leases }) => leases[0].worker);
      const pieces = holders.filter((worker, i) => worker !== holders[i - 1]);
      expect(pieces, `${replicas} replicas, ${workers} workers: ${holders.join(' ')}`).toHaveLength(
        new Set(pieces).size,
      );
    }
  }
});
