import type { FailureCode, FourfoldError, Loss } from '@fourfold/common';
import type { Token__Output } from '@fourfold/rpc';
import type { FailureState, Standing, ReportedFailure } from './failure-state.js';

/** The holder of a lease, while its token is valid. */
export interface Held {
  worker: number;
  task: string;
  subject: string;
}

export type FailureEvent =
  | { type: 'joined'; worker: number; machine: string }
  /** A worker has lost its seat; `lost` are the tasks that it held if it went without a message. */
  | { type: 'gone'; worker: number; lost: readonly string[] }
  /** A worker failed at a lease, or its answer was unusable. `held` is undefined if the lease is past. */
  | { type: 'failed'; worker: number; token: Token__Output; held: Held | undefined; reported: ReportedFailure }
  /** A worker says why it ends, and at which lease, if it is at one. */
  | { type: 'leaving'; worker: number; held: Held | undefined; reported: ReportedFailure }
  /** A worker that never had a seat says why it ends. */
  | { type: 'failed-to-start'; machine: string; reported: ReportedFailure }
  /** A worker has done a part of a task, and survived it. */
  | { type: 'got-on'; task: string }
  /** A worker has done a task. */
  | { type: 'done'; task: string; worker: number };

/** What to do after an event, in this order. */
export type FailureEffect =
  /** End the run: no machine can do this task. `said` are the failures that show it. */
  | { type: 'end-run'; task?: string; reported: ReportedFailure; said: readonly Standing[]; error: FourfoldError }
  /** Report a worker that is not fit. */
  | { type: 'report-unfit'; failure: Standing; reported: ReportedFailure }
  /** Open the task again; its worker has failed at it `times` times, and may try again after the pause. */
  | { type: 'reject'; token: Token__Output; reason: string; pauseMs: number; times: number }
  /** Let others get work before this worker until then. */
  | { type: 'rest'; worker: number; untilMs: number }
  /** Make a worker end for good. */
  | { type: 'dismiss'; worker: number; code: FailureCode; reason: string }
  /** Take a worker's seat. */
  | { type: 'unseat'; worker: number; reason: string }
  /** Hold back a task whose workers keep being lost; end the run if the pause is undefined. */
  | { type: 'lost-again'; task: string; losses: readonly Loss[]; pauseMs: number | undefined };

/** The state after an event, and what to do. */
export interface FailureStep {
  state: FailureState;
  effects: readonly FailureEffect[];
}

/** What transitions know of the world. */
export interface Moment {
  nowMs: number;
  /** For the jitter of pauses. */
  random: () => number;
}

export type FailureEventOf<Type extends FailureEvent['type']> = Extract<FailureEvent, { type: Type }>;
