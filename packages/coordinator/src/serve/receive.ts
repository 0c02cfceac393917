import type { FailureCode, Logger } from '@fourfold/common';
import {
  leavingSchema,
  messageProblem,
  protocolVersion,
  type Leaving__Output,
  type WorkerMessage__Output,
} from '@fourfold/rpc';
import type { Connection } from '../exchange/exchange.js';
import type { ServiceHost, WorkerFacts } from './service-host.js';

/** Act on a well-formed message of a worker that was seated. `facts` are undefined once it has lost its seat. */
export function receiveMessage(
  host: Pick<ServiceHost, 'board' | 'failures' | 'exchange'>,
  worker: number,
  connection: Connection,
  facts: WorkerFacts | undefined,
  message: WorkerMessage__Output,
): void {
  host.board.seen(worker);
  const { gradientReady, leaseProgress, evaluationDone, leaseFailed, leaving, hopSilent } = message;
  if (gradientReady?.token) {
    const { token, losses, file } = gradientReady;
    const gradient = connection.gradient(token, file);
    host.board.offer(worker, token, { gradient, hop: connection.hop, losses, scores: [] });
  } else if (leaseProgress?.token) {
    const { token, scores, picturesSha256 } = leaseProgress;
    const pictures = picturesSha256 ? { sha256: picturesSha256, machine: facts?.machine ?? '' } : undefined;
    host.board.progress(worker, token, { losses: {}, scores, pictures });
  } else if (evaluationDone?.token) {
    host.board.offer(worker, evaluationDone.token, { losses: {}, scores: evaluationDone.scores });
  } else if (leaseFailed?.token) {
    host.failures.failed(worker, leaseFailed.token, toldBy(leaseFailed));
  } else if (hopSilent) {
    host.exchange.bar.bar(hopSilent.worker);
  } else if (leaving) {
    host.failures.leaving(worker, leaving.token, toldBy(leaving));
  }
}

/** A worker that fails before it registers says why. */
export function receiveLeaving(
  host: Pick<ServiceHost, 'config' | 'failures'>,
  leaving: Leaving__Output,
  peer: string,
  log: Logger,
): void {
  if (leaving.protocolVersion !== protocolVersion || leaving.run !== host.config.name) return;
  if (messageProblem(leavingSchema, leaving)) return;
  log.warn({ event: 'worker-failed-to-start', peer, ...toldBy(leaving) }, 'a worker could not start');
  host.failures.failedToStart(leaving.machine, toldBy(leaving));
}

/** The code was checked with its message. */
const toldBy = ({ code, reason }: { code: string; reason: string }) => ({ code: code as FailureCode, reason });
