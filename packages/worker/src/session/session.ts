import { status, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import {
  coordinatorMessageSchema,
  messageProblem,
  reasonOf,
  tokenName,
  type CoordinatorClient,
  type CoordinatorMessage__Output,
  type Lease__Output,
  type NewParameters__Output,
  type Register,
  type Token__Output,
  type Welcome__Output,
  type WorkerMessage,
} from '@fourfold/rpc';
import {
  describeError,
  failureCode,
  failureError,
  FourfoldError,
  type FailureCode,
  type Logger,
  type RunConfig,
} from '@fourfold/common';

/** Messages from the coordinator on a control stream; a session's owner acts on them. */
export interface SessionEvents {
  welcome(welcome: Welcome__Output): void;
  lease(lease: Lease__Output, token: Token__Output): void;
  leaseEnded(token: Token__Output): void;
  newParameters(parameters: NewParameters__Output): void;
}

/** How a session ended: the run ended, or the coordinator was lost. */
export type SessionEnd =
  | { ended: true; reason: string }
  | {
      ended: false;
      reason: string;
      /** The connection could not be made, or it broke. */
      isUnreachable?: boolean;
    };

/** How long a worker that leaves waits at least for the coordinator to read its last messages: a cancelled stream may lose them. */
export const leaveMs = 3_000;

/** A coordinator's answers to a worker that is not one of the run's; asking again does not help. */
const refusals = [
  status.FAILED_PRECONDITION,
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.INVALID_ARGUMENT,
];

export interface Session {
  send(message: WorkerMessage): void;
  /** Resolves at the session's end; rejects with `mismatch` if the coordinator refused this worker, and with the reason if it dismissed it. */
  readonly end: Promise<SessionEnd>;
  leave: () => void;
  /** End the session with the error that makes this worker unfit, at the lease of `token` if at one: reports it, and `end` rejects. */
  fail: (error: Error, token?: Token__Output) => void;
}

/**
 * Join a coordinator: register, keep the stream alive with heartbeats, pass on messages. A coordinator that is silent
 * for `timing.silenceMs` counts as lost.
 */
// eslint-disable-next-line max-lines-per-function -- a stream’s events, which share how the session ends
export function joinCoordinator(
  client: CoordinatorClient,
  register: Register,
  { heartbeatMs, silenceMs }: RunConfig['timing'],
  events: SessionEvents,
  log: Logger,
): Session {
  const stream: ClientDuplexStream<WorkerMessage, CoordinatorMessage__Output> = client.Join();
  let lastSeenMs = performance.now();
  let ended: SessionEnd | undefined;

  const receive = (message: CoordinatorMessage__Output): void => {
    lastSeenMs = performance.now();
    const problem = messageProblem(coordinatorMessageSchema, message);
    if (problem) {
      ended ??= { ended: false, reason: `the coordinator sent a ${problem}` };
      return stream.cancel();
    }
    const { welcome, lease, leaseEnded, runEnded, dismissed, newParameters } = message;
    if (welcome) events.welcome(welcome);
    if (newParameters) events.newParameters(newParameters);
    if (lease?.token) {
      const work = lease.replica ?? lease.evaluation;
      log.debug({ event: 'lease', token: tokenName(lease.token), ...work }, 'lease');
      events.lease(lease, lease.token);
    }
    if (leaseEnded?.token) events.leaseEnded(leaseEnded.token);
    if (runEnded) ended = { ended: true, reason: runEnded.reason };
    if (dismissed) end(failureError(dismissed.code as FailureCode, dismissed.reason));
  };
  let timer = setInterval(() => {
    stream.write({ heartbeat: {} });
    const silentMs = performance.now() - lastSeenMs;
    if (silentMs < silenceMs) return;
    ended ??= { ended: false, reason: `the coordinator was silent for ${Math.round(silentMs)} ms` };
    stream.cancel();
  }, heartbeatMs);

  let failure: Error | undefined;
  let isOver = false;
  /** Leave the coordinator: sent messages arrive, then the stream ends, or is cancelled if no answer comes. */
  const leave = () => {
    clearInterval(timer);
    stream.end();
    timer = setTimeout(() => stream.cancel(), Math.max(heartbeatMs, leaveMs));
  };
  const end = (error: Error) => {
    if (failure) return;
    failure = error;
    leave();
  };
  const ending = new Promise<SessionEnd>((resolve, reject) => {
    stream.on('end', () => {
      if (failure) reject(failure);
      else resolve(ended ?? { ended: false, reason: 'the coordinator left' });
    });
    stream.on('error', (error: ServiceError) => {
      if (failure) reject(failure);
      else if (ended) resolve(ended);
      else if (refusals.includes(error.code)) reject(new FourfoldError('mismatch', error.details));
      else resolve({ ended: false, reason: describeError(error), isUnreachable: error.code === status.UNAVAILABLE });
    });
  }).finally(() => {
    isOver = true;
    clearInterval(timer);
  });
  stream.on('data', receive);
  stream.write({ register });
  return {
    send: (message) => {
      if (failure || isOver) return;
      stream.write(message);
      const { token } = message.gradientReady ?? {};
      if (token) log.debug({ event: 'answered', token: tokenName(token as Token__Output) }, 'answered');
    },
    end: ending,
    leave,
    fail(error, token) {
      if (failure || isOver) return;
      const { protocolVersion, run, machine } = register;
      const told = { code: failureCode(error), reason: reasonOf(error) };
      stream.write({ leaving: { ...told, token, protocolVersion, run, machine } });
      end(error);
    },
  };
}
