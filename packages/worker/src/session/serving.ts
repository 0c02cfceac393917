import {
  createCoordinatorClient,
  networkOf,
  protocolVersion,
  whyNoTrust,
  type EvaluationWork__Output,
  type PictureScore__Output,
  type Token__Output,
} from '@fourfold/rpc';
import {
  computedKeys,
  FourfoldError,
  logAbout,
  machineId,
  withDeadline,
  type Logger,
  type RunConfig,
} from '@fourfold/common';
import { runStore } from '@fourfold/store';
import type { BatchQueue } from '../leases/batches.js';
import type { ComputeMethods } from '../compute/compute-thread.js';
import { runEvaluation } from '../evaluation/evaluation-job.js';
import type { ParameterSource, WorkerExchange } from '../exchange/exchange.js';
import type { ComputedLease } from '../leases/compute-lease.js';
import { createLeaseLoop } from '../leases/lease-loop.js';
import { createParameterCache } from '../exchange/parameters.js';
import { createPictureWriter } from '../evaluation/picture-writer.js';
import { joinCoordinator, type SessionEnd } from './session.js';
import type { Remote } from '../compute/thread-rpc.js';

export interface ServingParts {
  config: RunConfig;
  compute: Remote<ComputeMethods>;
  exchange: WorkerExchange;
  batches: BatchQueue;
  /** What this worker computes with. */
  kind: object;
  datasetSha256: string;
  /** Where the coordinator pulls gradients. */
  address: string;
  log: Logger;
  onComputed?: (lease: ComputedLease) => void;
  /** This worker has joined a coordinator of this term, or has left it. */
  onTerm?: (term: number | undefined) => void;
}

/**
 * A function that serves one coordinator, from joining it to its loss or the run's end. It rejects with `mismatch` when
 * refused, and with the error that makes this worker unfit. A coordinator of an older term than one seen before is left at once.
 */
// eslint-disable-next-line max-lines-per-function -- a session’s life, from top to bottom
export function createServing(parts: ServingParts) {
  const { config, compute, exchange, batches, kind, datasetSha256, address, log, onComputed, onTerm } = parts;
  const { gradients, wires } = exchange;
  const layouts = { generator: wires.generator.gradients, discriminator: wires.discriminator.gradients };
  const writer = createPictureWriter(runStore(config), log);
  const pictures: { sha256?: string } = {};
  let newestTermSeen = 0;

  // eslint-disable-next-line max-lines-per-function -- as above
  return async (coordinator: string, stop: AbortSignal): Promise<SessionEnd & { joined: boolean }> => {
    const control = createCoordinatorClient(coordinator, 'control');
    const bulk = createCoordinatorClient(coordinator, 'bulk');
    const over = new AbortController();
    let joined: { term: number; parameters: ParameterSource } | undefined;
    const session = joinCoordinator(
      control,
      {
        ...{ protocolVersion, run: config.name, machine: machineId(), kind },
        ...{ exchangeAddress: address, datasetSha256, config: computedKeys(config), ...exchange.register },
      },
      config.timing,
      {
        welcome(welcome) {
          const { term, worker } = welcome;
          if (term < newestTermSeen) return session.leave();
          logAbout({ worker, term });
          log.info({ event: 'joined', coordinator }, 'joined');
          onTerm?.(term);
          newestTermSeen = term;
          const options = { address: coordinator, silenceMs: config.timing.silenceMs, signal: over.signal, onSilent };
          joined = { term, parameters: exchange.welcomed(welcome, bulk, options) };
        },
        lease(lease, token) {
          if (token.term !== joined?.term) return;
          const { replica: work, evaluation, leaseMs } = lease;
          const source = joined.parameters;
          if (work) leases.add({ token, leaseMs, work, source });
          else if (evaluation) void evaluate(token, evaluation, source);
        },
        leaseEnded: (token) => leases.end(token),
        newParameters(news) {
          if (!joined) return;
          joined.parameters.announced(news);
          void parameters.prefetch(joined.parameters, networkOf(news.network), news.version);
        },
      },
      log,
    );
    const parameters = createParameterCache(compute, wires);
    const onSilent = (worker: number) => session.send({ hopSilent: { worker } });
    const leases = createLeaseLoop(
      {
        config,
        compute,
        gradients,
        batches,
        layouts,
        parameters,
        onComputed,
      },
      session,
    );
    const evaluate = async (token: Token__Output, work: EvaluationWork__Output, parameters: ParameterSource) => {
      try {
        const parts = {
          config,
          compute,
          parameters,
          writer,
          pictures,
          vectorLength: wires.generator.parameters.length,
        };
        const onProgress = (scores: PictureScore__Output[], picturesSha256: string) =>
          session.send({ leaseProgress: { token, scores, picturesSha256 } });
        const scores = await runEvaluation({ ...parts, onProgress }, work, over.signal);
        session.send({ evaluationDone: { token, scores } });
      } catch (error) {
        if (!over.signal.aborted) leases.failed(token, error);
      }
    };
    stop.addEventListener('abort', session.leave);
    let end: SessionEnd;
    try {
      end = await session.end;
      stop.throwIfAborted();
      const isUnreachable = !joined && !end.ended && end.isUnreachable;
      const distrust = isUnreachable ? await whyNoTrust(coordinator, 'coordinator') : undefined;
      if (distrust) throw new FourfoldError('mismatch', distrust);
    } finally {
      stop.removeEventListener('abort', session.leave);
      onTerm?.(undefined);
      over.abort();
      leases.stop();
      gradients.clear();
      await joined?.parameters.close();
      control.close();
      bulk.close();
      logAbout({ worker: undefined, term: undefined });
    }
    // Wait for running work. A worker that leaves for good, by an error or a stop, does not get here.
    const { leaseMs } = config.timing;
    const tensors = await withDeadline(compute.reset(), leaseMs, () => {
      throw new Error(`a kernel has not returned for ${leaseMs} ms`);
    });
    log.debug({ event: 'left', coordinator, tensors }, 'left');
    return { ...end, joined: joined !== undefined };
  };
}
