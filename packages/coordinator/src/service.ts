import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  createLogger,
  endWithStatus,
  protocolVersion,
  type CoordinatorHandlers,
  type CoordinatorMessage,
  type EvaluationWork__Output,
  type PictureScore__Output,
  type Register__Output,
  type ReplicaWork__Output,
  type RunConfig,
  type RunStatus,
  type WorkerMessage__Output,
} from '@fourfold/common';
import type { Connection, Exchange, GradientSource } from './exchange.js';
import type { LeaseBoard } from './lease-board.js';

/** Work of a lease, as it crosses the wire. */
export type Work = { replica: ReplicaWork__Output } | { evaluation: EvaluationWork__Output };

/** A worker's answer: a gradient, or an evaluation's scores. */
export interface Answer {
  gradient?: GradientSource;
  losses: Record<string, number>;
  scores: PictureScore__Output[];
}

/** What the service needs of the coordinator. */
export interface ServiceHost {
  config: RunConfig;
  term: number;
  board: LeaseBoard<Work, Answer>;
  /** A worker's kind and dataset must be the run's. Returns why they are not. */
  admit(register: Register__Output): string | undefined;
  exchange: Pick<Exchange, 'connect' | 'handlers'>;
  status(): RunStatus;
  /** A worker says that no worker can compute this. */
  stop(reason: string): void;
}

const watchIntervalMs = 250;
type JoinCall = ServerDuplexStream<WorkerMessage__Output, CoordinatorMessage>;

/** The coordinator's gRPC service. `close` ends all control streams, those to come too, with `reason`. */
export function createCoordinatorService(host: ServiceHost, log = createLogger('coordinator')) {
  const calls = new Set<JoinCall>();
  /** Why the service was closed, once it is. */
  let closed: string | undefined;

  function dismiss(call: JoinCall, reason: string): void {
    call.write({ runEnded: { reason } });
    call.end();
  }

  function seat(call: JoinCall, { exchangeAddress, kind }: Register__Output, connection: Connection): number {
    const worker = host.board.join({
      grant: (token, leaseMs, work) => call.write({ lease: { token, leaseMs, ...work } }),
      end: (token) => call.write({ leaseEnded: { token } }),
      drop: (reason) => {
        endWithStatus(call, status.ABORTED, reason);
        connection.close();
      },
    });
    const { transport } = connection;
    log.info({ event: 'worker-joined', worker, exchangeAddress, transport, kind }, 'worker joined');
    return worker;
  }

  function receive(worker: number, connection: Connection, message: WorkerMessage__Output): void {
    host.board.seen(worker);
    const { gradientReady, evaluationDone, leaseFailed } = message;
    if (gradientReady?.token) {
      const { token, losses, file } = gradientReady;
      host.board.offer(worker, token, { gradient: connection.gradient(token, file), losses, scores: [] });
    } else if (evaluationDone?.token) {
      host.board.offer(worker, evaluationDone.token, { losses: {}, scores: evaluationDone.scores });
    } else if (leaseFailed?.token) {
      if (leaseFailed.fatal) host.stop(leaseFailed.reason);
      else host.board.reject(leaseFailed.token, leaseFailed.reason);
    }
  }

  const handlers: CoordinatorHandlers = {
    Join(call) {
      if (closed !== undefined) return dismiss(call, closed);
      let joined: { worker: number; connection: Connection } | undefined;
      calls.add(call);
      const refuse = setTimeout(
        () => endWithStatus(call, status.DEADLINE_EXCEEDED, 'no Register came'),
        host.config.timing.silenceMs,
      );
      call.on('data', (message: WorkerMessage__Output) => {
        if (closed !== undefined) return;
        if (joined) return receive(joined.worker, joined.connection, message);
        clearTimeout(refuse);
        const admitted = message.register
          ? admit(host, message.register)
          : { problem: 'the first message must be a Register' };
        if ('problem' in admitted) {
          const { problem } = admitted;
          log.warn({ event: 'worker-refused', problem }, 'worker refused');
          endWithStatus(call, status.FAILED_PRECONDITION, problem);
          return;
        }
        call.write({ welcome: { term: host.term, ...admitted.welcome } });
        joined = { worker: seat(call, message.register as Register__Output, admitted), connection: admitted };
      });
      const gone = (reason: string) => () => {
        clearTimeout(refuse);
        calls.delete(call);
        if (joined && closed === undefined) host.board.leave(joined.worker, reason);
      };
      call.on('end', gone('it left'));
      call.on('cancelled', gone('its connection broke'));
      call.on('error', gone('its connection broke'));
    },

    ...host.exchange.handlers,

    Watch(call) {
      let last = '';
      const send = () => {
        const now = host.status();
        const text = JSON.stringify(now);
        if (text !== last) call.write(now);
        last = text;
      };
      const timer = setInterval(send, watchIntervalMs);
      const stop = () => clearInterval(timer);
      call.on('cancelled', stop);
      call.on('error', stop);
      send();
    },
  };

  return {
    handlers,
    heartbeat(): void {
      for (const call of calls) call.write({ heartbeat: {} });
    },
    close(reason: string): void {
      closed = reason;
      for (const call of calls) dismiss(call, reason);
    },
  };
}

function admit(host: ServiceHost, register: Register__Output): Connection | { problem: string } {
  if (register.protocolVersion !== protocolVersion) {
    return {
      problem: `the worker speaks protocol version ${register.protocolVersion}, this coordinator ${protocolVersion}: use one release for both`,
    };
  }
  if (register.run !== host.config.name) {
    return { problem: `the worker was started for run ${register.run}, this is ${host.config.name}` };
  }
  const problem = host.admit(register);
  return problem ? { problem } : host.exchange.connect(register);
}
