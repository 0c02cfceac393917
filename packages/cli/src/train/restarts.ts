import { FourfoldError, growingPauseMs, judge, runError, type Failure } from '@fourfold/common';
import type { PartExit } from './child.js';
import { describeEnd, endError } from './part-end.js';

/** A part that dies this often without a reason and without an iteration in between is not restarted. */
const maxDeathsInARow = 5;
const pauses = { firstMs: 500, longestMs: 60_000 };
/** A part that lived this long was healthy. */
const steadyMs = 60_000;
/** A shell's exit codes for signals. */
const signalExitCode = 128;

/** What happens to a part that has ended. */
export type Next = { restartInMs: number } | { isOut: true } | { ends: FourfoldError };

/** A part that is kept alive, however often it is started. */
export interface Slot {
  role: string;
  name: string;
}

interface Lives {
  isRunning: boolean;
  /** It is not restarted. */
  isOut: boolean;
  begunMs: number;
  /** Ends since the run last made progress. */
  ends: number;
  /** Of them, those without a reason. */
  deaths: number;
  /** Ends since it last lived for long. */
  inARow: number;
}

/**
 * Decides which parts of a run on one machine are restarted, and when: the general failure policy, applied to one machine.
 * While another part of its role does well, a part stays out or is restarted after growing pauses.
 */
// eslint-disable-next-line max-lines-per-function -- short functions that share the counts
export function createRestarts(nowMs = () => performance.now(), random = Math.random) {
  const slots = new Map<Slot, Lives>();
  /** Why processes ended since the run last made progress, by role. */
  const standing = new Map<string, Failure[]>();
  let processes = 0;

  const livesOf = (slot: Slot): Lives => {
    const found = slots.get(slot) ?? { isRunning: false, isOut: false, begunMs: 0, ends: 0, deaths: 0, inARow: 0 };
    slots.set(slot, found);
    return found;
  };
  const othersDoWell = (slot: Slot): boolean =>
    [...slots].some(([other, { isRunning, ends }]) => {
      return other !== slot && other.role === slot.role && isRunning && ends === 0;
    });

  /** Why the run cannot go on without this part, if so. */
  function whyOver(slot: Slot, end: PartExit, lives: Lives): FourfoldError | undefined {
    const { leaving, lackedMemory } = end;
    if (leaving && !wasStopped(end)) {
      const { code, reason } = leaving;
      const earlier = standing.get(slot.role) ?? [];
      const failure = { code, machine: '', process: ++processes, begunMs: lives.begunMs, failedMs: nowMs() };
      standing.set(slot.role, [...earlier, failure]);
      const ended = { times: Infinity, inARow: Infinity, earlier, machines: new Set(['']) };
      return judge(failure, ended) === 'the run' ? runError(code, reason) : undefined;
    }
    if (++lives.deaths <= maxDeathsInARow) return undefined;
    const message = `${slot.name} died ${lives.deaths} times in a row, last: ${describeEnd(end)}`;
    return new FourfoldError('unavailable', message, {
      hint: lackedMemory ? 'see the run’s log; too little memory is a common cause' : 'see the run’s log',
    });
  }

  return {
    started(slot: Slot): void {
      Object.assign(livesOf(slot), { isRunning: true, begunMs: nowMs() });
    },
    /** A part has failed. */
    ended(slot: Slot, end: PartExit): Next {
      const lives = livesOf(slot);
      lives.isRunning = false;
      if (isFinal(slot, end)) {
        lives.isOut = true;
        return othersDoWell(slot) ? { isOut: true } : { ends: endError(end) };
      }
      if (nowMs() - lives.begunMs >= steadyMs) lives.inARow = 0;
      lives.ends++;
      lives.inARow++;
      const ends = whyOver(slot, end, lives);
      if (ends && !othersDoWell(slot)) return { ends };
      return { restartInMs: growingPauseMs(lives.inARow, pauses, random) };
    },
    /** The run made progress: earlier ends no longer count. */
    progressed: (): void => {
      standing.clear();
      for (const [{ role }, lives] of slots) {
        Object.assign(lives, { ends: 0, deaths: 0, ...(role === 'coordinator' && { inARow: 0 }) });
      }
    },
  };
}

export type Restarts = ReturnType<typeof createRestarts>;

/** Somebody sent it a signal. */
const wasStopped = ({ code, signal }: PartExit): boolean => signal !== null || (code ?? 0) > signalExitCode;

/**
 * Whether a fresh process would not do better: after a user's mistake, a peer's refusal of what this one is, and anything that
 * makes a coordinator give up.
 */
const isFinal = ({ role }: Slot, { code, leaving }: PartExit): boolean =>
  code !== null && (role === 'coordinator' || code === 2 || leaving?.code === 'mismatch');
