import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import { createLogger, type FailureCode, type RunConfig } from '@fourfold/common';
import {
  endWithStatus,
  leavingSchema,
  messageProblem,
  protocolVersion,
  registerSchema,
  workerMessageSchema,
  type CoordinatorHandlers,
  type CoordinatorMessage,
  type EvaluationWork__Output,
  type Leaving__Output,
  type PictureScore__Output,
  type Register__Output,
  type ReplicaWork__Output,
  type RunStatus,
  type Transport,
  type WorkerMessage__Output,
} from '@fourfold/rpc';
import type { Connection, Exchange } from '../exchange/exchange.js';
import type { Failures } from '../training/failures.js';
import type { GradientSource } from '../exchange/gradient-pieces.js';
import type { LeaseBoard } from '../leases/lease-board.js';
import { createWatch } from './watch.js';

/** The work of a lease, as on the wire. */
export type Work = { replica: ReplicaWork__Output } | { evaluation: EvaluationWork__Output };

/** A worker's answer: a gradient, or an evaluation's scores. */
export interface Answer {
  gradient?: GradientSource;
  losses: Record<string, number>;
  scores: PictureScore__Output[];
  /** The digest of the set of pictures, and the machine where it lies. */
  pictures?: { sha256: string; machine: string };
}

/** What the service needs from the coordinator. */
export interface ServiceHost {
  config: RunConfig;
  term: number;
  board: LeaseBoard<Work, Answer>;
  /** A worker's kind, dataset and formats must be the run's. Returns its connection, or the problem. */
  admit(register: Register__Output): Connection | { problem: string };
  exchange: Pick<Exchange, 'handlers'>;
  status(): RunStatus;
  /** Records workers' failures. */
  failures: Omit<Failures, 'done'>;
}

/** A worker as it registered. */
export interface WorkerFacts extends Pick<Register__Output, 'exchangeAddress' | 'kind' | 'machine'> {
  transport: Transport;
  /** Unix time. */
  joinedAtMs: number;
}

/** How long messages of a worker that has lost its seat are still read, to be refused and counted. */
const lingerMs = 60_000;
type JoinCall = ServerDuplexStream<WorkerMessage__Output, CoordinatorMessage>;

/** The coordinator's gRPC service. `close` and `release` end all control streams, including later ones. */
export function createCoordinatorService(host: ServiceHost, log = createLogger('coordinator')) {
  const calls = new Set<JoinCall>();
  const facts = new Map<number, WorkerFacts>();
  /** How control streams end after the service is closed. */
  let closed: ((call: JoinCall) => void) | undefined;
  let refused = 0;

  function closeBy(end: (call: JoinCall) => void): void {
    closed = end;
    for (const call of calls) end(call);
  }

  function seat(
    call: JoinCall,
    { exchangeAddress, kind, machine }: Register__Output,
    connection: Connection,
    drop: (reason: string) => void,
  ): number {
    const worker: number = host.board.join({
      restsUntilMs: host.failures.restsUntilMs(machine),
      taken(worker) {
        host.failures.joined(worker, machine);
        call.write({ welcome: { term: host.term, worker, ...connection.welcome } });
      },
      grant: (token, leaseMs, work) => call.write({ lease: { token, leaseMs, ...work } }),
      end: (token) => call.write({ leaseEnded: { token } }),
      dismiss: (code, reason) => call.write({ dismissed: { code, reason } }),
      drop: (reason, lost) => {
        drop(reason);
        connection.close();
        host.failures.gone(worker, lost);
        facts.delete(worker);
      },
    });
    const { transport } = connection;
    facts.set(worker, { exchangeAddress, kind, transport, machine, joinedAtMs: Date.now() });
    log.info({ event: 'worker-joined', worker, exchangeAddress, transport, machine, kind }, 'worker joined');
    return worker;
  }

  function receive(worker: number, connection: Connection, message: WorkerMessage__Output): void {
    host.board.seen(worker);
    const { gradientReady, leaseProgress, evaluationDone, leaseFailed, leaving } = message;
    if (gradientReady?.token) {
      const { token, losses, file } = gradientReady;
      host.board.offer(worker, token, { gradient: connection.gradient(token, file), losses, scores: [] });
    } else if (leaseProgress?.token) {
      const { token, scores, picturesSha256 } = leaseProgress;
      const pictures = picturesSha256
        ? { sha256: picturesSha256, machine: facts.get(worker)?.machine ?? '' }
        : undefined;
      host.board.progress(worker, token, { losses: {}, scores, pictures });
    } else if (evaluationDone?.token) {
      host.board.offer(worker, evaluationDone.token, { losses: {}, scores: evaluationDone.scores });
    } else if (leaseFailed?.token) {
      host.failures.failed(worker, leaseFailed.token, toldBy(leaseFailed));
    } else if (leaving) {
      host.failures.leaving(worker, leaving.token, toldBy(leaving));
    }
  }

  /** A worker that fails before it registers says why. */
  function receiveLeaving(leaving: Leaving__Output, peer: string): void {
    if (leaving.protocolVersion !== protocolVersion || leaving.run !== host.config.name) return;
    if (messageProblem(leavingSchema, leaving)) return;
    log.warn({ event: 'worker-failed-to-start', peer, ...toldBy(leaving) }, 'a worker could not start');
    host.failures.failedToStart(leaving.machine, toldBy(leaving));
  }

  const handlers: CoordinatorHandlers = {
    Join(call) {
      if (closed) return closed(call);
      let joined: { worker: number; connection: Connection } | undefined;
      /** What was wrong with the worker's message. */
      let malformed: string | undefined;
      /** Why it has lost its seat. */
      let lost: string | undefined;
      /** A message has arrived since. */
      let isAwake = false;
      let isOver = false;
      let timer: NodeJS.Timeout;
      const end = (code: status, reason: string) => {
        clearTimeout(timer);
        isOver = true;
        endWithStatus(call, code, reason);
      };
      const endIn = (ms: number, code: status, reason: string) => {
        clearTimeout(timer);
        timer = setTimeout(() => end(code, reason), ms);
      };
      calls.add(call);
      const { silenceMs, heartbeatMs } = host.config.timing;
      endIn(silenceMs, status.DEADLINE_EXCEEDED, 'no Register arrived');
      call.on('data', (message: WorkerMessage__Output) => {
        if (closed || isOver) return;
        if (joined) {
          malformed = messageProblem(workerMessageSchema, message);
          if (malformed) host.board.leave(joined.worker, malformed);
          else receive(joined.worker, joined.connection, message);
          // It is awake: what it has sent so far arrives, then it hears of its loss.
          if (lost !== undefined && !isAwake) endIn(heartbeatMs, status.ABORTED, lost);
          isAwake = lost !== undefined;
          return;
        }
        clearTimeout(timer);
        if (message.leaving) {
          receiveLeaving(message.leaving, call.getPeer());
          isOver = true;
          return call.end();
        }
        const admitted = message.register
          ? admit(host, message.register)
          : { problem: 'the first message must be a Register' };
        if ('problem' in admitted) {
          const { problem } = admitted;
          refused++;
          log.warn({ event: 'worker-refused', peer: call.getPeer(), problem }, 'worker refused');
          end(status.FAILED_PRECONDITION, problem);
          return;
        }
        const drop = (reason: string) => {
          if (malformed) return end(status.INVALID_ARGUMENT, reason);
          lost = reason;
          endIn(lingerMs, status.ABORTED, reason);
        };
        const worker = seat(call, message.register as Register__Output, admitted, drop);
        joined = { worker, connection: admitted };
      });
      const gone = (reason: string, isSilent: boolean) => () => {
        calls.delete(call);
        if (joined && !closed) host.board.leave(joined.worker, reason, isSilent);
        clearTimeout(timer);
      };
      call.on('end', () => {
        gone('it left', false)();
        if (!isOver) call.end();
      });
      call.on('cancelled', gone('its connection broke', true));
      call.on('error', gone('its connection broke', true));
    },

    ...host.exchange.handlers,

    Watch: createWatch(() => host.status()),
  };

  return {
    handlers,
    /** The workers that have a seat on the board, by their numbers there. */
    workers: (): ReadonlyMap<number, WorkerFacts> => facts,
    /** Workers that were refused. */
    refused: () => refused,
    heartbeat(): void {
      for (const call of calls) call.write({ heartbeat: {} });
    },
    /** The run has ended: workers leave. */
    close(reason: string): void {
      closeBy((call) => {
        call.write({ runEnded: { reason } });
        call.end();
      });
    },
    /** This coordinator is superseded: workers look for its successor. */
    release(reason: string): void {
      closeBy((call) => endWithStatus(call, status.ABORTED, reason));
    },
  };
}

/** The code was checked with its message. */
const toldBy = ({ code, reason }: { code: string; reason: string }) => ({ code: code as FailureCode, reason });

function admit(host: ServiceHost, register: Register__Output): Connection | { problem: string } {
  if (register.protocolVersion !== protocolVersion) {
    return {
      problem: `the worker speaks protocol version ${register.protocolVersion}, this coordinator ${protocolVersion}: use one release for both`,
    };
  }
  const malformed = messageProblem(registerSchema, register);
  if (malformed) return { problem: malformed };
  if (register.run !== host.config.name) {
    return { problem: `the worker was started for run ${register.run}, this is ${host.config.name}` };
  }
  return host.admit(register);
}
