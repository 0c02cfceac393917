import type { RunConfig } from '@fourfold/common';
import type { Register__Output, RunStatus, Transport } from '@fourfold/rpc';
import type { Connection, Exchange } from '../exchange/exchange.js';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { Failures } from '../training/failures.js';
import type { Answer, Work } from './work.js';

/** What the service needs from the coordinator. */
export interface ServiceHost {
  config: RunConfig;
  term: number;
  board: LeaseBoard<Work, Answer>;
  /** A worker's kind, dataset and formats must be the run's. Returns its connection, or the problem. */
  admit(register: Register__Output): Connection | { problem: string };
  exchange: Pick<Exchange, 'handlers' | 'bar'>;
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
