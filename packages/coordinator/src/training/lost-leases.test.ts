import { expect, test } from 'vitest';
import { a, add, b, c, ended, failures, join, latelyMs, pass } from './test-failing-run.js';

/*
 * What happens to a run whose workers are lost without a message.
 */

/**
 * Kill each worker that holds a task, and start a fresh process on the next machine, until the run ends. Returns the
 * times between grants.
 */
function killWhoeverHas(task: string, machines: string[], atMost: number) {
  const pausesMs: number[] = [];
  for (let times = 0; times < atMost && !ended; times++) {
    const worker = join(machines[times % machines.length]);
    let waitedMs = 0;
    for (; worker.last()?.task !== task; waitedMs += 500) pass(500);
    pausesMs.push(waitedMs);
    worker.isKilled();
  }
  return pausesMs;
}

test('a lease that kills every machine is held back longer each time; then the run ends and names the lease and the machines', () => {
  add('generator 12.0');
  const pausesMs = killWhoeverHas('generator 12.0', [a, b], 100);
  expect(pausesMs.slice(0, 3)).toEqual([0, 0, 0]);
  expect(pausesMs[6]).toBeGreaterThanOrEqual(6_000);
  expect(Math.max(...pausesMs)).toBeLessThanOrEqual(60_500);
  // About a minute each, until patience runs out.
  expect(pausesMs.length).toBeLessThan(30);
  expect(ended).toMatchObject({ code: 'unavailable' });
  expect(ended?.message).toMatch(/^generator 12\.0 was lost \d+ times in \d+ s, by workers 1, 2, .* on machines a, b/);
});

test('machines that come and go for days do not end the run: the count starts anew when a lease is done in between', () => {
  for (let i = 0; i < 100; i++) {
    add(`generator ${i}.0`);
    killWhoeverHas(`generator ${i}.0`, [a, b, c], 7);
    const survivor = join(a);
    while (!survivor.last()) pass(500);
    survivor.does();
    survivor.isKilled();
    pass(latelyMs);
  }
  expect(ended).toBeUndefined();
});

test('an evaluation that makes progress each time is not a killer', () => {
  add('evaluation 30', 'evaluation');
  for (let i = 0; i < 40; i++) {
    killWhoeverHas('evaluation 30', [a, b], 5);
    failures.gotOn('evaluation 30');
    pass(latelyMs / 10);
  }
  expect(ended).toBeUndefined();
});
