import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { TimingConfig } from '@fourfold/common';
import {
  endWithStatus,
  messageProblem,
  workerMessageSchema,
  type CoordinatorMessage,
  type Leaving__Output,
  type Register__Output,
  type WorkerMessage__Output,
} from '@fourfold/rpc';
import type { Connection } from '../exchange/exchange.js';
import { isOpen, nextSession, waitMs, type SessionEvent, type SessionState } from './session-state.js';

export type JoinCall = ServerDuplexStream<WorkerMessage__Output, CoordinatorMessage>;

/** What a session does in the service. */
export interface SessionHost {
  timing: Pick<TimingConfig, 'silenceMs' | 'heartbeatMs'>;
  admit(register: Register__Output): Connection | { problem: string };
  /** A worker was refused. */
  refused(problem: string, peer: string): void;
  /** Give the worker a seat; `drop` is called when it loses the seat. Returns the worker's number. */
  seat(call: JoinCall, register: Register__Output, connection: Connection, drop: (reason: string) => void): number;
  /** A worker says why it ends before it has registered. */
  leaving(leaving: Leaving__Output, peer: string): void;
  /** A well-formed message of a worker that was seated. */
  receive(worker: number, connection: Connection, message: WorkerMessage__Output): void;
  /** Take the worker's seat, if it has one. */
  leave(worker: number, reason: string, isSilent?: boolean): void;
  /** All streams have been ended; what still arrives is ignored. */
  isClosed(): boolean;
  /** The stream is over. */
  gone(call: JoinCall): void;
}

/**
 * Serve one worker's control stream. `nextSession` decides what each event means. The functions inside are short, and share the
 * state and its timer.
 */
// eslint-disable-next-line max-lines-per-function -- the shell of one state machine: its input, output and timer
export function serveSession(call: JoinCall, host: SessionHost): void {
  let state: SessionState = { name: 'registering' };
  let joined: { worker: number; connection: Connection } | undefined;
  let timer: NodeJS.Timeout | undefined;

  function startTimer(): void {
    clearTimeout(timer);
    const ms = waitMs(state, host.timing);
    if (ms !== undefined) timer = setTimeout(() => happens({ type: 'timed-out' }), ms);
  }

  function happens(event: SessionEvent): void {
    const before = state;
    state = nextSession(before, event);
    if (state === before) return;
    startTimer();
    if (state.name === 'ended') call.end();
    else if (state.name === 'refused') endWithStatus(call, state.code, state.reason);
  }

  function refuse(problem: string): void {
    host.refused(problem, call.getPeer());
    happens({ type: 'refused', problem });
  }

  function receiveFirst({ leaving, register }: WorkerMessage__Output): void {
    if (leaving) {
      host.leaving(leaving, call.getPeer());
      return happens({ type: 'left' });
    }
    if (!register) return refuse('the first message must be a Register');
    const admitted = host.admit(register);
    if ('problem' in admitted) return refuse(admitted.problem);
    happens({ type: 'admitted' });
    const worker = host.seat(call, register, admitted, (reason) => happens({ type: 'dropped', reason }));
    joined = { worker, connection: admitted };
  }

  function receiveLater(worker: number, connection: Connection, message: WorkerMessage__Output): void {
    const problem = messageProblem(workerMessageSchema, message);
    if (problem) {
      happens({ type: 'malformed', problem });
      host.leave(worker, problem);
    } else {
      host.receive(worker, connection, message);
    }
    happens({ type: 'heard' });
  }

  /** The worker loses its seat before the stream's state changes: the end of the stream is what it hears last. */
  function gone(reason: string, isSilent: boolean, event: SessionEvent): void {
    host.gone(call);
    if (joined && !host.isClosed()) host.leave(joined.worker, reason, isSilent);
    happens(event);
  }

  startTimer();
  call.on('data', (message: WorkerMessage__Output) => {
    if (host.isClosed() || !isOpen(state)) return;
    if (joined) receiveLater(joined.worker, joined.connection, message);
    else if (state.name === 'registering') receiveFirst(message);
  });
  call.on('end', () => gone('it left', false, { type: 'closed' }));
  call.on('cancelled', () => gone('its connection broke', true, { type: 'broken' }));
  call.on('error', () => gone('its connection broke', true, { type: 'broken' }));
}
