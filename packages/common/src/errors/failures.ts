import { exitCodes, type ErrorCode } from './error-codes.js';
import { FourfoldError, isOfSystem } from './errors.js';
import { systemFailureCode } from './system-errors.js';

/*
 * The failure policy of all parts. `judge` is a pure function of what failed, on which process and how often; its callers act on the
 * verdict.
 */

/** The kind of a failure: the code of a FourfoldError, or a kind that no such error has. */
export type FailureCode =
  | ErrorCode
  | 'stale' // the coordinator has moved on from what was requested
  | 'bad-result' // an answer came but is unusable: not finite, of another shape, empty
  | 'fault'; // of the program or its backend: a kernel that hangs, a thread that died, a TypeError

/** Codes that processes send each other; a stale failure concerns no other process. */
export const failureCodes = [
  ...(Object.keys(exitCodes) as ErrorCode[]),
  'bad-result',
  'fault',
] as const satisfies Exclude<FailureCode, 'stale'>[];

/** What to do about a failure. */
export type Verdict =
  /** Do nothing: the coordinator has moved on, and knows. */
  | 'stale'
  /** The same process may try again, after a pause. */
  | 'retry'
  /** The process leaves and its work moves; a fresh process may come. */
  | 'this machine'
  /** No process would do better: the run ends with the reason. */
  | 'the run';

/** The failure of a process. */
export interface Failure {
  code: FailureCode;
  /** The process's host, identified by the host itself. */
  machine: string;
  process: string | number;
  /** When the process joined, and when it failed, by one clock. */
  begunMs: number;
  failedMs: number;
}

/** Further facts for a verdict. */
export interface Circumstances {
  /** How often this has failed in a row, this time included: on this process, or for `bad-result` on any process. */
  times: number;
  /** How often this process has failed since its last success, this time included. */
  inARow: number;
  /** Permanent failures at the same work, which no process has completed since. */
  earlier: readonly Failure[];
  /** The machines seen recently. */
  machines: ReadonlySet<string>;
  /** More machines may still join. */
  othersMayCome?: boolean;
}

/** Tries of the same work, if a retry may help. */
export const maxTries = 5;
/** A process with this many failures in a row, at any work, is unfit. Two tasks at a time stay below it. */
export const maxInARow = 2 * maxTries;
/** Processes that may end for different reasons, on all present machines, before the run ends. */
const maxEnds = 6;

const mayPass = new Set<FailureCode>(['unavailable', 'conflict', 'bad-result']);
/** Either the input is wrong, or the machine that reads it. */
const blamesInput = new Set<FailureCode>(['invalid', 'not-found', 'corrupt', 'bad-result']);

/** Decide what to do about a failure. */
export function judge(failure: Failure, circumstances: Circumstances): Verdict {
  const { times, inARow, earlier, machines, othersMayCome } = circumstances;
  const { code } = failure;
  if (code === 'stale') return 'stale';
  const isSpent = times >= maxTries;
  if (mayPass.has(code) && !isSpent && inARow < maxInARow) return 'retry';
  const all = [...earlier, failure];
  const same = all.filter((other) => other.code === code);
  const isAlone = [...machines].every((machine) => machine === failure.machine);
  const everyone = (failures: Failure[]) => [...machines].every((m) => failures.some(({ machine }) => machine === m));
  if (isAlone) {
    // Each answer is computed afresh, so another process would not do better.
    if (code === 'bad-result' && isSpent) return 'the run';
    if (!othersMayCome && same.some((other) => isFresh(failure, other))) return 'the run';
  } else if (blamesInput.has(code)) {
    if (same.some(({ machine }) => machine !== failure.machine)) return 'the run';
  } else if (everyone(same)) {
    return 'the run';
  }
  return all.length >= maxEnds && everyone(all) ? 'the run' : 'this machine';
}

/** Whether a process joined after the other had failed. */
const isFresh = (failure: Failure, earlier: Failure): boolean =>
  failure.process !== earlier.process && failure.begunMs > earlier.failedMs;

/** gRPC's status FAILED_PRECONDITION. This package does without gRPC, which takes longer to load than the rest of it. */
const failedPrecondition = 9;

/** The kind of failure of an error. An error that is neither a FourfoldError, nor the system's, nor from a call to a peer is a fault. */
export function failureCode(error: unknown): FailureCode {
  if (error instanceof FourfoldError) return error.code;
  if (isOfSystem(error)) return systemFailureCode(error.code);
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'number') return 'fault';
  return code === failedPrecondition ? 'stale' : 'unavailable';
}

/** The error with which a process ends for a failure described by another part. */
export function failureError(code: FailureCode, reason: string): FourfoldError {
  if (code === 'bad-result') return new FourfoldError('invalid', reason);
  return new FourfoldError(code === 'fault' || code === 'stale' ? 'unavailable' : code, reason);
}

/** The error with which a run ends. A damaged object is for a person to fix, like wrong input. */
export const runError = (code: FailureCode, reason: string): FourfoldError =>
  failureError(code === 'corrupt' ? 'invalid' : code, reason);

/** A machine was lost, without a message, while it had a lease. */
export interface Loss {
  machine: string;
  process: string | number;
  lostMs: number;
}

/** Machines come and go: after this many losses a lease still moves at once. */
const passingLosses = 2;
/** Losses of one lease without progress before the run ends. */
const maxLosses = 8;
const lossPauses = { firstMs: 1_000, longestMs: 60_000 };

/**
 * How long to pause before granting a lease again. `losses` are its holders that were lost in a row without a message and without progress:
 * the lease may be what kills them. Undefined if the run should end: no present machine would do better, and patience has run out.
 */
export function pauseAfterLosses(
  losses: readonly Loss[],
  { machines, patienceMs }: { machines: ReadonlySet<string>; patienceMs: number },
  random = Math.random,
): number | undefined {
  const lost = new Set(losses.map(({ machine }) => machine));
  const isOfMany = lost.size > 1 || [...machines].every((machine) => lost.has(machine));
  const lastedMs = losses.length > 0 ? losses[losses.length - 1].lostMs - losses[0].lostMs : 0;
  if (losses.length >= maxLosses && lastedMs >= patienceMs && isOfMany) return undefined;
  return losses.length > passingLosses ? growingPauseMs(losses.length - passingLosses, lossPauses, random) : 0;
}

/** The error with which a run ends if a lease is lost again and again. */
export function lossError(lease: string, losses: readonly Loss[]): FourfoldError {
  const seconds = Math.round((losses[losses.length - 1].lostMs - losses[0].lostMs) / 1000);
  const workers = [...new Set(losses.map(({ process }) => process))].join(', ');
  const machines = [...new Set(losses.map(({ machine }) => machine))].join(', ');
  const where = `by workers ${workers} on machines ${machines}`;
  return new FourfoldError(
    'unavailable',
    `${lease} was lost ${losses.length} times in ${seconds} s, ${where}, without a message from them`,
    {
      hint: 'find out what killed them: check the last lines of their logs, and their memory (OOMKilled, dmesg)',
    },
  );
}

export interface Pauses {
  firstMs: number;
  longestMs: number;
}

/** How long to wait after `times` failures in a row: twice as long each time, with jitter so that not all retry at once. */
export function growingPauseMs(times: number, { firstMs, longestMs }: Pauses, random = Math.random): number {
  const wholeMs = Math.min(longestMs, firstMs * 2 ** Math.min(30, times - 1));
  return wholeMs * (0.75 + random() / 4);
}
