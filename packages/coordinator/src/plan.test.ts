import { expect, test } from 'vitest';
import { plan, type TaskView, type WorkerView } from './plan.js';

const options = { silenceMs: 1000, leasesAWorker: 2 };
const alive = (...ids: number[]): WorkerView[] => ids.map((id) => ({ id, lastSeenMs: 0 }));
const open = (key: string, more: Partial<TaskView> = {}): TaskView => ({ key, priority: 0, status: 'open', ...more });
const grants = (tasks: TaskView[], workers: WorkerView[], nowMs = 0) =>
  plan(nowMs, workers, tasks, options).flatMap((d) => (d.type === 'grant' ? [[d.task, d.worker]] : []));

test('tasks are spread over the workers, up to the bound', () => {
  expect(
    grants(
      ['a', 'b', 'c', 'd', 'e'].map((key) => open(key)),
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
  const tasks = [open('a', { preferredWorker: 2 }), open('b', { preferredWorker: 2 })];
  expect(grants(tasks, alive(1, 2))).toEqual([
    ['a', 2],
    ['b', 1],
  ]);
});

test('a silent worker is dropped and its tasks move', () => {
  const workers = [
    { id: 1, lastSeenMs: 0 },
    { id: 2, lastSeenMs: 1400 },
  ];
  const tasks = [
    open('a', { status: 'leased', worker: 1, deadlineMs: 9999 }),
    open('b', { status: 'ready', worker: 1 }),
  ];
  expect(plan(1500, workers, tasks, options)).toEqual([
    { type: 'drop', worker: 1, reason: 'silent for 1500 ms' },
    { type: 'grant', task: 'a', worker: 2 },
    { type: 'grant', task: 'b', worker: 2 },
  ]);
});

test('a worker whose lease ran out is dropped; a result that waits to be pulled has no deadline', () => {
  const tasks = [
    open('a', { status: 'leased', worker: 1, deadlineMs: 400 }),
    open('b', { status: 'ready', worker: 2, deadlineMs: 400 }),
  ];
  expect(plan(500, alive(1, 2), tasks, options)).toEqual([
    { type: 'drop', worker: 1, reason: 'its lease of a ran out' },
    { type: 'grant', task: 'a', worker: 2 },
  ]);
});

test('low priority waits for the others', () => {
  const tasks = [open('evaluation', { priority: 1 }), open('a'), open('b')];
  expect(grants(tasks, alive(1))).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
});

test('nobody there: nothing happens', () => {
  expect(plan(0, [], [open('a')], options)).toEqual([]);
});
