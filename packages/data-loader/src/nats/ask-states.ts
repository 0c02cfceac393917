import { FourfoldError, growingPauseMs, judge, type Failure } from '@fourfold/common';
import type { Refusal } from './batch-message.js';
import type { LoaderDirectory } from './loader-directory.js';

/*
 * The states of a worker's request for one batch, and the transitions between them, which are pure. ask-loaders.ts carries them out.
 *
 *   choosing  -> listening   a data-loader is asked
 *             -> waiting     there is none to ask now
 *   waiting   -> choosing    after a poll
 *   listening -> overdue     no answer for `lateMs`
 *   overdue   -> listening   it has answered another request meanwhile
 *             -> choosing    it is late, or NATS is down
 *   any       -> choosing    the newest data-loader asked is gone or cannot help, or NATS is back
 *             -> failed      the refusals so far settle it
 */

/** The request's present state. `dueMs`: when it is looked at again. */
export type AskState =
  | { name: 'choosing' }
  | { name: 'waiting'; dueMs: number }
  | { name: 'listening'; dueMs: number }
  | { name: 'overdue'; dueMs: number }
  | { name: 'failed'; error: FourfoldError };

/** One request to one data-loader. Its answer counts even if it is late. */
export interface Attempt {
  loader: string;
  askedMs: number;
  /** No batch is expected from it any longer. */
  isSpent: boolean;
  isRefused: boolean;
}

/** A request for a batch: its state and its history. */
export interface Asking {
  state: AskState;
  attempts: readonly Attempt[];
  /** Data-loaders asked in this round. */
  asked: readonly string[];
  /** When the next round begins, once all have been asked. */
  pauseEndsMs?: number;
  /** Rounds that ended with a data-loader still expected to answer, and those in which all refused. */
  openRounds: number;
  refusedRounds: number;
  /** Refusals so far; each attempt counts as a process of its own. */
  refusals: readonly Failure[];
}

export type AskEvent =
  /** The state's time has come. */
  | { type: 'due' }
  /** Nothing more can come from an attempt: nobody receives the requests, or the answer is invalid. */
  | { type: 'unusable'; attempt: number }
  | { type: 'refused'; attempt: number; refusal: Refusal }
  /** NATS is back; messages in transit are lost. */
  | { type: 'reconnected' };

/** What the transitions read. */
export interface AskView extends Pick<LoaderDirectory, 'restsUntilMs' | 'heardMs' | 'machineOf' | 'machines'> {
  nowMs: number;
  /** NATS cannot be used. */
  isDown: boolean;
  /** Live data-loaders in the order in which they are asked. */
  inOrder(): string[];
  lateMs: number;
}

/** A request after an event. */
export interface Step {
  asking: Asking;
  /** The newest attempt is new: send its request. */
  isNew?: boolean;
  /** This data-loader is late. */
  late?: string;
}

const pollMs = 100;
const longestPauseMs = 30_000;
/** Between rounds in which all data-loaders refuse. */
const refusedPauses = { firstMs: 250, longestMs: longestPauseMs };
/** Refusals that may be about the batch rather than the machine. The others are about the data-loader. */
const batchCodes = ['invalid', 'not-found', 'corrupt'] as const;

/** A request for a batch, before its first data-loader is chosen. */
export const newAsking = (): Asking => ({
  ...{ state: { name: 'choosing' }, attempts: [], asked: [] },
  ...{ openRounds: 0, refusedRounds: 0, refusals: [] },
});

/** The request after an event. */
export function transition(asking: Asking, event: AskEvent, view: AskView): Step {
  switch (event.type) {
    case 'due':
      return due(asking, view);
    case 'unusable':
      return { asking: spent(asking, event.attempt) };
    case 'refused':
      return { asking: refused(asking, event.attempt, event.refusal, view) };
    case 'reconnected': {
      const attempts = asking.attempts.map((attempt) => ({ ...attempt, isSpent: true }));
      return { asking: { ...newRound(asking), attempts, state: { name: 'choosing' } } };
    }
  }
}

function due(asking: Asking, view: AskView): Step {
  const { nowMs, lateMs, isDown } = view;
  const become = (state: AskState): Step => ({ asking: { ...asking, state } });
  switch (asking.state.name) {
    case 'failed':
      return { asking };
    case 'choosing':
      return choose(asking, view);
    case 'waiting':
      return become({ name: 'choosing' });
    case 'listening':
      // If this process itself was held up or frozen, answers that came meanwhile are read only now.
      return become({ name: 'overdue', dueMs: nowMs + pollMs });
    case 'overdue': {
      const { loader } = asking.attempts[asking.attempts.length - 1];
      // A data-loader that answers our other requests is working.
      const silentMs = nowMs - view.heardMs(loader);
      if (silentMs < lateMs) return become({ name: 'listening', dueMs: nowMs + lateMs - silentMs });
      // While NATS is down, nobody can answer.
      return { ...become({ name: 'choosing' }), ...(!isDown && { late: loader }) };
    }
  }
}

/** Ask the first data-loader of the order that has not been asked in this round, or wait for the next round. */
function choose(asking: Asking, view: AskView): Step {
  const { nowMs, lateMs } = view;
  const { attempts, asked } = asking;
  const wait = (history: Asking): Step => ({
    asking: { ...history, state: { name: 'waiting', dueMs: nowMs + pollMs } },
  });
  if (view.isDown) return wait(asking);
  const unasked = view.inOrder().filter((loader) => !asked.includes(loader));
  const loader = unasked.find((id) => view.restsUntilMs(id) <= nowMs);
  if (loader !== undefined) {
    const attempt = { loader, askedMs: nowMs, isSpent: false, isRefused: false };
    const state = { name: 'listening' as const, dueMs: nowMs + lateMs };
    return {
      asking: { ...asking, state, attempts: [...attempts, attempt], asked: [...asked, loader] },
      isNew: true,
    };
  }
  if (asked.length === 0) return wait(asking);
  const paused = asking.pauseEndsMs === undefined ? endRound(asking, view) : asking;
  return wait(nowMs >= (paused.pauseEndsMs ?? 0) ? newRound(paused) : paused);
}

/** All that are free have been asked. One that works on the batch should not be asked again at once. */
function endRound(asking: Asking, { nowMs, lateMs }: AskView): Asking {
  if (asking.attempts.some(({ isSpent }) => !isSpent)) {
    const pauseMs = Math.min(longestPauseMs, lateMs * 2 ** asking.openRounds);
    return { ...asking, openRounds: asking.openRounds + 1, pauseEndsMs: nowMs + pauseMs };
  }
  const refusedRounds = asking.refusedRounds + 1;
  return { ...asking, refusedRounds, pauseEndsMs: nowMs + growingPauseMs(refusedRounds, refusedPauses) };
}

const newRound = (asking: Asking): Asking => ({ ...asking, asked: [], pauseEndsMs: undefined });

const changed = (asking: Asking, index: number, changes: Partial<Attempt>): Asking => ({
  ...asking,
  attempts: asking.attempts.map((attempt, i) => (i === index ? { ...attempt, ...changes } : attempt)),
});

/** Nothing more is expected from an attempt. If it was the newest, another data-loader is asked now. */
function spent(asking: Asking, index: number): Asking {
  if (asking.attempts[index].isSpent) return asking;
  const after = changed(asking, index, { isSpent: true });
  return index === asking.attempts.length - 1 ? { ...after, state: { name: 'choosing' } } : after;
}

function refused(asking: Asking, index: number, { code, message, hint }: Refusal, view: AskView): Asking {
  const { loader, askedMs } = asking.attempts[index];
  if (code === 'busy') {
    return spent({ ...asking, asked: asking.asked.filter((other) => other !== loader) }, index);
  }
  // A data-loader's own trouble may pass, and another may not have it.
  const seen = batchCodes.find((other) => other === code) ?? ('unavailable' as const);
  const machine = view.machineOf(loader) ?? loader;
  const failure: Failure = { code: seen, machine, process: index, begunMs: askedMs, failedMs: view.nowMs };
  const times = 1 + asking.attempts.filter((other) => other.loader === loader && other.isRefused).length;
  const machines = view.machines().add(machine);
  if (judge(failure, { times, inARow: times, earlier: asking.refusals, machines }) === 'the run') {
    const error = new FourfoldError(seen, message, { ...(hint && { hint }) });
    return { ...asking, state: { name: 'failed', error } };
  }
  const history = { ...asking, refusals: [...asking.refusals, failure] };
  return spent(changed(history, index, { isRefused: true }), index);
}
