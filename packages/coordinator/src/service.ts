import { credentials, status, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  bulkChannelOptions,
  createLogger,
  describeError,
  endWithStatus,
  protocolVersion,
  sendVector,
  wire,
  type CoordinatorHandlers,
  type CoordinatorMessage,
  type EvaluationWork__Output,
  type PictureScore__Output,
  type Register__Output,
  type ReplicaWork__Output,
  type RunConfig,
  type RunStatus,
  type WorkerClient,
  type WorkerMessage__Output,
} from '@fourfold/common';
import type { LeaseBoard } from './lease-board.js';
import type { Network } from './schedule.js';

/** Work of a lease, as it crosses the wire. */
export type Work = { replica: ReplicaWork__Output } | { evaluation: EvaluationWork__Output };

/** A worker's answer: a gradient to pull from `client`, or an evaluation's scores. */
export interface Answer {
  client: WorkerClient;
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
  /** The vector of a network at a version, and whether it still is that; undefined when it is not there. */
  parameters(network: Network, version: number): { vector: Float32Array; stillValid: () => boolean } | undefined;
  status(): RunStatus;
  /** A worker says that no worker can compute this. */
  stop(reason: string): void;
}

const watchIntervalMs = 250;
type JoinCall = ServerDuplexStream<WorkerMessage__Output, CoordinatorMessage>;

/** The coordinator's gRPC service. `close` ends all control streams with `reason`. */
export function createCoordinatorService(host: ServiceHost, log = createLogger('coordinator')) {
  const calls = new Set<JoinCall>();
  let closing = false;

  function seat(call: JoinCall, { exchangeAddress, kind }: Register__Output) {
    const client = new wire.Worker(exchangeAddress, credentials.createInsecure(), bulkChannelOptions);
    const worker = host.board.join({
      grant: (token, leaseMs, work) => call.write({ lease: { token, leaseMs, ...work } }),
      end: (token) => call.write({ leaseEnded: { token } }),
      drop: (reason) => {
        endWithStatus(call, status.ABORTED, reason);
        client.close();
      },
    });
    log.info({ event: 'worker-joined', worker, exchangeAddress, kind }, 'worker joined');
    return { worker, client };
  }

  function receive(worker: number, client: WorkerClient, message: WorkerMessage__Output): void {
    host.board.seen(worker);
    const { gradientReady, evaluationDone, leaseFailed } = message;
    if (gradientReady?.token) {
      host.board.offer(worker, gradientReady.token, { client, losses: gradientReady.losses, scores: [] });
    } else if (evaluationDone?.token) {
      host.board.offer(worker, evaluationDone.token, { client, losses: {}, scores: evaluationDone.scores });
    } else if (leaseFailed?.token) {
      if (leaseFailed.fatal) host.stop(leaseFailed.reason);
      else host.board.reject(leaseFailed.token, leaseFailed.reason);
    }
  }

  const handlers: CoordinatorHandlers = {
    Join(call) {
      let joined: { worker: number; client: WorkerClient } | undefined;
      calls.add(call);
      const refuse = setTimeout(
        () => endWithStatus(call, status.DEADLINE_EXCEEDED, 'no Register came'),
        host.config.timing.silenceMs,
      );
      call.on('data', (message: WorkerMessage__Output) => {
        if (joined) return receive(joined.worker, joined.client, message);
        clearTimeout(refuse);
        const problem = message.register ? admission(host, message.register) : 'the first message must be a Register';
        if (problem) {
          log.warn({ event: 'worker-refused', problem }, 'worker refused');
          endWithStatus(call, status.FAILED_PRECONDITION, problem);
          return;
        }
        call.write({ welcome: { term: host.term } });
        joined = seat(call, message.register as Register__Output);
      });
      const gone = (reason: string) => () => {
        clearTimeout(refuse);
        calls.delete(call);
        if (joined && !closing) host.board.leave(joined.worker, reason);
      };
      call.on('end', gone('it left'));
      call.on('cancelled', gone('its connection broke'));
      call.on('error', gone('its connection broke'));
    },

    PullParameters(call) {
      const { term, network, version } = call.request;
      const found =
        term === host.term
          ? host.parameters(network === 'GENERATOR' ? 'generator' : 'discriminator', version)
          : undefined;
      if (!found) {
        endWithStatus(call, status.FAILED_PRECONDITION, `${network} version ${version} of term ${term} is not there`);
        return;
      }
      sendVector(call, found.vector, 0, found.stillValid).catch((error: unknown) =>
        endWithStatus(call, status.INTERNAL, describeError(error)),
      );
    },

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
      closing = true;
      for (const call of calls) {
        call.write({ runEnded: { reason } });
        call.end();
      }
    },
  };
}

function admission(host: ServiceHost, register: Register__Output): string | undefined {
  if (register.protocolVersion !== protocolVersion) {
    return `the worker speaks protocol version ${register.protocolVersion}, this coordinator ${protocolVersion}: use one release for both`;
  }
  if (register.run !== host.config.name)
    return `the worker was started for run ${register.run}, this is ${host.config.name}`;
  return host.admit(register);
}
