import type { Logger } from '@fourfold/common';
import type { Register__Output } from '@fourfold/rpc';
import type { Connection } from '../exchange/exchange.js';
import type { ServiceHost, WorkerFacts } from './service-host.js';
import type { JoinCall } from './session.js';

/** Gives admitted workers their seats on the lease board, and keeps what they registered. */
export function createSeats(host: Pick<ServiceHost, 'board' | 'failures' | 'term'>, log: Logger) {
  const facts = new Map<number, WorkerFacts>();

  /** `drop` is called when the worker loses its seat. Returns its number. */
  function seat(
    call: JoinCall,
    { exchangeAddress, kind, machine }: Register__Output,
    connection: Connection,
    drop: (reason: string) => void,
  ): number {
    const worker: number = host.board.join({
      restsUntilMs: host.failures.restsUntilMs(machine),
      host: machine,
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
    connection.seated(worker, (newParameters) => call.write({ newParameters }));
    const { transport } = connection;
    facts.set(worker, { exchangeAddress, kind, transport, machine, joinedAtMs: Date.now() });
    log.info({ event: 'worker-joined', worker, exchangeAddress, transport, machine, kind }, 'worker joined');
    return worker;
  }

  return { seat, facts: facts as ReadonlyMap<number, WorkerFacts> };
}
