import type { Token__Output } from '@fourfold/rpc';
import type { BoardState, TaskFacts } from './board-state.js';
import type { GrantReason } from './plan.js';

/** What happens to the lease board. Results pass through it unread. */
export type BoardEvent<Result> =
  /** A worker takes a seat; its number is `counts.joined`. */
  | { type: 'joined'; restsUntilMs?: number; host?: string }
  /** A worker has left, without a message if `isSilent`. */
  | { type: 'left'; worker: number; reason: string; isSilent: boolean }
  /** Something was heard of a worker. */
  | { type: 'seen'; worker: number }
  /** Others get work before this worker until then. */
  | { type: 'rested'; worker: number; untilMs: number }
  /** There is a new task; the worker that keeps `cache` is preferred for it. */
  | { type: 'added'; task: TaskFacts; hasProgress: boolean; cache?: number }
  /** The task is granted to nobody until then. */
  | { type: 'held-back'; task: string; untilMs: number }
  /** A worker has done a part of a task. */
  | { type: 'progressed'; worker: number; token: Token__Output; soFar: Result }
  /** A worker has done a task. */
  | { type: 'answered'; worker: number; token: Token__Output; result: Result }
  /** A worker failed at a task, or its answer is unusable. It may try again after the pause. */
  | { type: 'rejected'; token: Token__Output; reason: string; pauseMs: number }
  /** The task's answer has been used; its worker keeps `cache`. */
  | { type: 'finished'; task: string; cache?: number }
  | { type: 'cleared' }
  /** Time has passed, or something has changed: drop workers and grant tasks as `plan` decides. */
  | { type: 'planned' };

/** What to do after an event, in this order. */
export type Effect<Result> =
  /** Cut a worker off. `leases` are all its tasks, `lost` the unanswered ones if it left without a message. */
  | { type: 'drop'; worker: number; reason: string; leases: readonly string[]; lost: readonly string[] }
  | { type: 'grant'; task: string; worker: number; token: Token__Output; because: GrantReason }
  | { type: 'end'; worker: number; token: Token__Output }
  /** Pass a worker's progress to the task's owner. */
  | { type: 'tell-progress'; task: string; soFar: Result }
  /** Pass an answer to the caller that waits for the task. */
  | { type: 'deliver'; task: string; worker: number; token: Token__Output; result: Result }
  /** The answer that was delivered no longer counts. */
  | { type: 'discard'; task: string }
  | { type: 'log-refused'; worker: number; token: Token__Output }
  | { type: 'log-rejected'; task: string; worker: number; reason: string }
  /** Let a `planned` event follow. */
  | { type: 'plan' };

/** The state after an event, and what to do. */
export interface Step<Result> {
  state: BoardState;
  effects: readonly Effect<Result>[];
}

export type EventOf<Type extends BoardEvent<unknown>['type'], Result = unknown> = Extract<
  BoardEvent<Result>,
  { type: Type }
>;
