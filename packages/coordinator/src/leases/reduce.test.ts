import { randomStream } from '@fourfold/common';
import { expect, test } from 'vitest';
import type { BoardEvent, Effect } from './board-events.js';
import { Table } from './table.js';
import { testBoard } from './test-board.js';

/** Freeze a state deeply enough that a transition that writes to it throws. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  // Tables made of one share where keys are; their rows are theirs.
  if (value instanceof Table) {
    Object.freeze(value);
    return value.values().forEach(freeze);
  }
  if (value instanceof Map) {
    for (const name of ['set', 'delete', 'clear'] as const) {
      value[name] = () => {
        throw new Error(`a transition calls ${name} of an earlier state`);
      };
    }
    for (const entry of value.values()) freeze(entry);
  }
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}

test.each([1, 2, 3, 4, 5])('a thousand random events keep the board’s promises: %i', (seed) => {
  const random = randomStream(seed, 'a test of the lease board');
  const below = (bound: number) => random.below(bound);
  const board = testBoard({ minimumToContinue: 2, silenceMs: 5_000 });
  const granted = new Set<number>();
  let tasks = 0;
  /** The tokens whose worker has not been told that they ended, by the effects alone. */
  const held = new Map<number, { worker: number; task: string }>();
  const delivered = new Set<string>();

  function check(effect: Effect<string>): void {
    switch (effect.type) {
      case 'grant':
        expect(granted.has(effect.token.number)).toBe(false);
        granted.add(effect.token.number);
        held.set(effect.token.number, effect);
        break;
      case 'end':
        if (held.get(effect.token.number)?.worker === effect.worker) held.delete(effect.token.number);
        break;
      case 'drop':
        for (const [number, { worker }] of held) if (worker === effect.worker) held.delete(number);
        break;
      case 'deliver':
        expect(delivered.has(effect.task)).toBe(false);
        delivered.add(effect.task);
        break;
      case 'discard':
        expect(delivered.delete(effect.task)).toBe(true);
        break;
      default:
    }
  }
  function happens(event: BoardEvent<string>): void {
    freeze(board.state);
    const effects = board.after(event);
    // A worker that is refused is told so, even where it answers twice under a valid token.
    if (effects[0]?.type !== 'log-refused') effects.forEach(check);
    if (effects.some(({ type }) => type === 'plan')) happens({ type: 'planned' });
  }

  for (let i = 0; i < 1_000; i++) {
    board.nowMs += below(100);
    const worker = 1 + below(board.state.counts.joined + 1);
    const token = board.token(1 + below(board.state.counts.granted + 1));
    const [task] = [...delivered];
    const events: BoardEvent<string>[] = [
      { type: 'joined' },
      { type: 'added', task: { key: `task ${tasks++}`, priority: below(2), kind: 'half' }, hasProgress: true },
      { type: 'answered', worker, token, result: '' },
      { type: 'progressed', worker, token, soFar: '' },
      { type: 'rejected', token, reason: '', pauseMs: below(500) },
      { type: 'rested', worker, untilMs: board.nowMs + below(500) },
      { type: 'seen', worker },
      { type: 'planned' },
    ];
    // Right answers are more frequent than wrong ones, or nothing would ever be done.
    const [lease] = [...held].slice(below(held.size));
    const answer = lease && { worker: lease[1].worker, token: board.token(lease[0]) };
    if (answer) events.push(...[1, 2, 3].map(() => ({ type: 'answered', ...answer, result: '' }) as const));
    if (below(10) === 0) events.push({ type: 'left', worker, reason: '', isSilent: below(2) === 0 });
    if (task !== undefined) events.push({ type: 'finished', task });
    const event = events[below(events.length)];
    if (event.type === 'finished') delivered.delete(event.task);
    happens(event);

    // The workers and the board agree on the valid tokens.
    const valid = [...board.state.tasks.values()].flatMap(({ key, leases }) =>
      leases.map(({ token, worker }) => [token.number, worker, key]),
    );
    expect(valid.sort()).toEqual([...held].map(([number, { worker, task }]) => [number, worker, task]).sort());
    for (const { isReady, key, leases } of board.state.tasks.values()) {
      expect(isReady).toBe(delivered.has(key));
      expect(leases.length).toBeLessThanOrEqual(isReady ? 1 : 2);
      expect(leases.every(({ worker }) => board.state.seats.has(worker))).toBe(true);
    }
  }
  expect(board.state.counts.granted).toBeGreaterThan(100);
});
