import { status } from '@grpc/grpc-js';
import { createLogger } from '@fourfold/common';
import {
  endWithStatus,
  messageProblem,
  protocolVersion,
  registerSchema,
  type CoordinatorHandlers,
  type Register__Output,
} from '@fourfold/rpc';
import type { Connection } from '../exchange/exchange.js';
import { receiveLeaving, receiveMessage } from './receive.js';
import { createSeats } from './seats.js';
import type { ServiceHost, WorkerFacts } from './service-host.js';
import { serveSession, type JoinCall, type SessionHost } from './session.js';
import { createWatch } from './watch.js';

/**
 * The coordinator's gRPC service. `close` and `release` end all control streams, including later ones. It only puts the parts
 * together: sessions, seats and messages have files of their own.
 */
// eslint-disable-next-line max-lines-per-function -- one short handler for each method of the service
export function createCoordinatorService(host: ServiceHost, log = createLogger('coordinator')) {
  const calls = new Set<JoinCall>();
  const { seat, facts } = createSeats(host, log);
  /** How control streams end after the service is closed. */
  let closed: ((call: JoinCall) => void) | undefined;
  let refused = 0;

  function closeBy(end: (call: JoinCall) => void): void {
    closed = end;
    for (const call of calls) end(call);
  }

  const session: SessionHost = {
    timing: host.config.timing,
    admit: (register) => admit(host, register),
    refused(problem, peer) {
      refused++;
      log.warn({ event: 'worker-refused', peer, problem }, 'worker refused');
    },
    seat,
    leaving: (leaving, peer) => receiveLeaving(host, leaving, peer, log),
    receive: (worker, connection, message) => receiveMessage(host, worker, connection, facts.get(worker), message),
    leave: host.board.leave,
    isClosed: () => closed !== undefined,
    gone: (call) => void calls.delete(call),
  };

  const handlers: CoordinatorHandlers = {
    Join(call) {
      if (closed) return closed(call);
      calls.add(call);
      serveSession(call, session);
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
