import { status } from '@grpc/grpc-js';
import { FourfoldError, type ErrorCode } from './errors.js';

/*
 * What a failure is taken for: the one policy of all parts. `judge` is a pure function of what failed, on whom and how often; the
 * effects are its callers'.
 */

/** What kind of failure it is: an error's code, or what no error of ours says. */
export type FailureCode =
  | ErrorCode
  | 'stale' // the coordinator has moved on from what was asked
  | 'bad-result' // an answer came, and is of no use: not finite, of another shape, empty
  | 'fault'; // the program or what it computes with: a kernel that hangs, a thread that died, a TypeError

/** Codes that cross between processes: what is stale is nobody's business. */
export const failureCodes = Object.keys({
  invalid: true,
  'not-found': true,
  corrupt: true,
  conflict: true,
  'no-space': true,
  unavailable: true,
  refused: true,
  mismatch: true,
  'bad-result': true,
  fault: true,
} satisfies Record<Exclude<FailureCode, 'stale'>, true>) as Exclude<FailureCode, 'stale'>[];

/** What to do about a failure. */
export type Verdict =
  /** Nothing: the coordinator has moved on, and knows. */
  | 'stale'
  /** The same process may try again, after a pause. */
  | 'retry'
  /** The process leaves, its work moves; a fresh one may come. */
  | 'this machine'
  /** Nobody would do better: the run ends with the reason. */
  | 'the run';

/** A process on whom something failed. */
export interface Failure {
  code: FailureCode;
  /** Its host, by the host's own proof. */
  machine: string;
  process: string | number;
  /** When the process came, and when it failed, on one clock. */
  begunMs: number;
  failedMs: number;
}

/** What is known besides. */
export interface Circumstances {
  /** How often this has failed in a row, this time included: on this process, or for `bad-result` on whoever it was. */
  times: number;
  /** How often this process has failed since it last did something well, this time included. */
  inARow: number;
  /** Who has failed for good at the same thing, while nobody has done it. */
  earlier: readonly Failure[];
  /** The machines that were there lately. */
  machines: ReadonlySet<string>;
  /** Machines may be on their way that nobody has seen yet. */
  othersMayCome?: boolean;
}

/** So often the same thing is tried, where trying again may help. */
export const maxTries = 5;
/** A process that fails so often, at whatever, is not fit. It is more than two tasks' tries side by side. */
export const maxInARow = 2 * maxTries;
/** Processes that end for reasons of all kinds, on all machines that are there, before the run does. */
const maxEnds = 6;

const mayPass = new Set<FailureCode>(['unavailable', 'conflict', 'bad-result']);
/** What is wrong is the input, if it is not the machine that reads it. */
const saysOfInput = new Set<FailureCode>(['invalid', 'not-found', 'corrupt', 'bad-result']);

/** What a failure is taken for. */
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
    // Its answers are as good as fresh: nothing of the one before is in them.
    if (code === 'bad-result' && isSpent) return 'the run';
    if (!othersMayCome && same.some((other) => isFresh(failure, other))) return 'the run';
  } else if (saysOfInput.has(code)) {
    if (same.some(({ machine }) => machine !== failure.machine)) return 'the run';
  } else if (everyone(same)) {
    return 'the run';
  }
  return all.length >= maxEnds && everyone(all) ? 'the run' : 'this machine';
}

/** Whether a process came after the other one had failed. */
const isFresh = (failure: Failure, earlier: Failure): boolean =>
  failure.process !== earlier.process && failure.begunMs > earlier.failedMs;

/** What kind of failure an error is. What is no error of ours, and none of a call to a peer, is a fault. */
export function failureCode(error: unknown): FailureCode {
  if (error instanceof FourfoldError) return error.code;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'number') return 'fault';
  return code === Number(status.FAILED_PRECONDITION) ? 'stale' : 'unavailable';
}

/** The error with which a process ends for a failure that somebody described. */
export function failureError(code: FailureCode, reason: string): FourfoldError {
  if (code === 'bad-result') return new FourfoldError('invalid', reason);
  return new FourfoldError(code === 'fault' || code === 'stale' ? 'unavailable' : code, reason);
}

/** The error with which a run ends. A damaged object is a person's to hint, as wrong input is. */
export const runError = (code: FailureCode, reason: string): FourfoldError =>
  failureError(code === 'corrupt' ? 'invalid' : code, reason);

/** A machine was lost while it had a lease, and said nothing. */
export interface Loss {
  machine: string;
  process: string | number;
  lostMs: number;
}

/** Machines come and go: so often a lease just moves. */
const passingLosses = 2;
/** So often one lease is lost, while nobody gets on with it, before the run ends. */
const maxLosses = 8;
const lossPauses = { firstMs: 1_000, longestMs: 60_000 };

/**
 * What becomes of a lease whose holders are lost without a word, one after the other, since anybody last got on with it. It may be what
 * kills them. Undefined where the run ends: nobody that is there would do better, and it has been tried for as long as there is patience.
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

/** The error with which a run ends whose lease is lost again and again. */
export function lossError(lease: string, losses: readonly Loss[]): FourfoldError {
  const seconds = Math.round((losses[losses.length - 1].lostMs - losses[0].lostMs) / 1000);
  const workers = [...new Set(losses.map(({ process }) => process))].join(', ');
  const machines = [...new Set(losses.map(({ machine }) => machine))].join(', ');
  const where = `by workers ${workers} on machines ${machines}`;
  return new FourfoldError(
    'unavailable',
    `${lease} was lost ${losses.length} times in ${seconds} s, ${where}, which said nothing`,
    {
      hint: 'look for what killed them: the last lines of their logs, and the memory that they had (OOMKilled, dmesg)',
    },
  );
}

export interface Pauses {
  firstMs: number;
  longestMs: number;
}

/** How long to wait before trying again what has failed `times` in a row: twice as long each time, and not all at once. */
export function growingPauseMs(times: number, { firstMs, longestMs }: Pauses, random = Math.random): number {
  const wholeMs = Math.min(longestMs, firstMs * 2 ** Math.min(30, times - 1));
  return wholeMs * (0.75 + random() / 4);
}
