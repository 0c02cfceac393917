import { createRepeats, lossError, type FourfoldError, type Logger } from '@fourfold/common';
import type { Token__Output } from '@fourfold/rpc';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { FailureEffect, FailureEvent, FailureStep, Moment } from './failure-events.js';
import { noFailures, restOf, type FailureState, type ReportedFailure } from './failure-state.js';
import { done, failed, failedToStart, gone, gotOn, joined, leaving } from './failure-transitions.js';

export interface FailureParts {
  board: Pick<LeaseBoard<unknown, unknown>, 'holder' | 'reject' | 'leave' | 'dismiss' | 'rest' | 'holdBack'>;
  /** Ends the run. */
  stop: (error: FourfoldError) => void;
  /** A machine that was away for this long no longer counts; a lease that is lost repeatedly is retried for as long. */
  latelyMs: number;
  log: Logger;
}

export type Failures = ReturnType<typeof createFailures>;

/**
 * The failure policy in the coordinator: keeps which failures happened where, and carries out what `reduceFailures`
 * decides about them.
 */
export function createFailures(parts: FailureParts) {
  const { board, latelyMs, log } = parts;
  let state = noFailures(latelyMs, performance.now());
  const carryOut = createFailureEffects(parts);

  /** An effect may cause further events: they see the state after the whole event. Returns the effects. */
  function dispatch(event: FailureEvent): readonly FailureEffect[] {
    const step = reduceFailures(state, event, { nowMs: performance.now(), random: Math.random });
    state = step.state;
    step.effects.forEach(carryOut);
    return step.effects;
  }

  return {
    /** Until when a worker of this machine gets no work while other workers are free. */
    restsUntilMs(machine: string): number | undefined {
      const rest = restOf(state, machine, Math.random);
      if (!rest) return undefined;
      const { times, pauseMs } = rest;
      log.info({ event: 'machine-rests', machine, times, pauseMs: Math.round(pauseMs) }, 'other workers go first');
      return rest.untilMs;
    },
    joined: (worker: number, machine: string): void => void dispatch({ type: 'joined', worker, machine }),
    /** A worker has lost its seat; `lost` are the tasks that it held if it went without a message. */
    gone: (worker: number, lost: readonly string[] = []): void => void dispatch({ type: 'gone', worker, lost }),
    /** A worker failed at a lease, or its answer was unusable. Returns how often; 0 if the lease is past. */
    failed(worker: number, token: Token__Output, reported: ReportedFailure): number {
      const effects = dispatch({ type: 'failed', worker, token, held: board.holder(token), reported });
      return effects.find((effect) => effect.type === 'reject')?.times ?? 0;
    },
    /** A worker says why it ends. */
    leaving(worker: number, token: Token__Output | null, reported: ReportedFailure): void {
      dispatch({ type: 'leaving', worker, held: token ? board.holder(token) : undefined, reported });
    },
    /** A worker that never had a seat says why it ends. */
    failedToStart: (machine: string, reported: ReportedFailure): void =>
      void dispatch({ type: 'failed-to-start', machine, reported }),
    /** A worker has done a part of a task, and survived it. */
    gotOn: (task: string): void => void dispatch({ type: 'got-on', task }),
    /** A worker has done a task: others' failures at it were their own. */
    done: (task: string, worker: number): void => void dispatch({ type: 'done', task, worker }),
  };
}

/** The failures' reducer: a pure function from the state and an event to the next state and what to do. */
export function reduceFailures(state: FailureState, event: FailureEvent, moment: Moment): FailureStep {
  switch (event.type) {
    case 'joined':
      return joined(state, event, moment);
    case 'gone':
      return gone(state, event, moment);
    case 'failed':
      return failed(state, event, moment);
    case 'leaving':
      return leaving(state, event, moment);
    case 'failed-to-start':
      return failedToStart(state, event, moment);
    case 'got-on':
      return gotOn(state, event);
    case 'done':
      return done(state, event);
  }
}

function createFailureEffects({ board, stop, log }: FailureParts): (effect: FailureEffect) => void {
  const repeats = createRepeats();
  return (effect) => {
    switch (effect.type) {
      case 'end-run': {
        const { task, reported, said, error } = effect;
        const { code, reason } = reported;
        const who = said.map(({ machine, process, code }) => ({ machine, worker: process, code }));
        log.error({ event: 'run-fails', task, code, reason, said: who }, 'no machine can do this task');
        return stop(error);
      }
      case 'report-unfit': {
        const { machine, process: worker, task } = effect.failure;
        const { code, reason } = effect.reported;
        const times = repeats(`${machine} ${code} ${reason}`);
        const about = { event: 'worker-unfit', worker, machine, task, code, reason, times };
        return times ? log.warn(about, 'a worker is not fit') : undefined;
      }
      case 'reject':
        return board.reject(effect.token, effect.reason, effect.pauseMs);
      case 'rest':
        return board.rest(effect.worker, effect.untilMs);
      case 'dismiss':
        return board.dismiss(effect.worker, effect.code, effect.reason);
      case 'unseat':
        return board.leave(effect.worker, effect.reason);
      case 'lost-again': {
        const { task, losses, pauseMs } = effect;
        const lost = losses.map(({ process, machine }) => ({ worker: process, machine }));
        const about = { event: 'lease-lost-again', task, times: losses.length, lost };
        if (pauseMs === undefined) {
          log.error(about, 'every worker with this lease is lost');
          return stop(lossError(task, losses));
        }
        board.holdBack(task, losses[losses.length - 1].lostMs + pauseMs);
        return log.warn({ ...about, pauseMs: Math.round(pauseMs) }, 'a lease is held back');
      }
    }
  };
}
