import type { BoardEvent, Effect } from './board-events.js';
import { emptyBoard, type BoardRules, type BoardState } from './board-state.js';
import { reduce } from './reduce.js';

/** A lease board without a shell, with a clock that the test moves. */
export function testBoard(rules: Partial<BoardRules> = {}) {
  const board = {
    nowMs: 0,
    state: emptyBoard({
      ...{ term: 3, leaseMs: 1_000, silenceMs: 500, stragglerFactor: 3, minimumToStart: 1, minimumToContinue: 1 },
      ...rules,
    }),
    /** Go to the next state; returns the effects. */
    after(event: BoardEvent<string>): readonly Effect<string>[] {
      const step = reduce(board.state, event, board.nowMs);
      board.state = step.state;
      return step.effects;
    },
    join: (restsUntilMs?: number) => board.after({ type: 'joined', restsUntilMs }),
    add: (key: string, more: Partial<Omit<Extract<BoardEvent<string>, { type: 'added' }>, 'type'>> = {}) =>
      board.after({ type: 'added', task: { key, priority: 0 }, hasProgress: false, ...more }),
    /** What a task's workers hold. */
    leases: (key: string) => (board.state.tasks.get(key) ?? fail(board.state, key)).leases,
    token: (number: number) => ({ term: board.state.rules.term, number }),
  };
  return board;
}

function fail(state: BoardState, key: string): never {
  throw new Error(`no task ${key} among ${[...state.tasks.keys()].join(', ')}`);
}
