import { credentials } from '@grpc/grpc-js';
import {
  bulkChannelOptions,
  describeError,
  FourfoldError,
  protocolVersion,
  wire,
  type EvaluationWork__Output,
  type Logger,
  type RunConfig,
  type Token__Output,
} from '@fourfold/common';
import type { BatchSource } from '@fourfold/data-loader';
import { discriminatorLayout, generatorLayout } from '@fourfold/model/layout';
import { createBatchQueue } from './batches.js';
import type { ComputeMethods } from './compute-thread.js';
import { runEvaluation } from './evaluation-job.js';
import type { ParameterSource, WorkerExchange } from './exchange.js';
import { createLeaseLoop } from './lease-loop.js';
import { createParameterCache } from './parameters.js';
import { joinCoordinator, type SessionEnd } from './session.js';
import type { Remote } from './thread-rpc.js';

export interface ServingParts {
  config: RunConfig;
  compute: Remote<ComputeMethods>;
  exchange: WorkerExchange;
  source: Pick<BatchSource, 'batch'>;
  /** What this worker computes with. */
  kind: object;
  datasetSha256: string;
  /** Where the coordinator pulls gradients. */
  address: string;
  log: Logger;
}

/**
 * A function that serves one coordinator, from joining it to its loss or the run's end. It rejects with `mismatch` when
 * refused, and with what makes this worker unfit. A coordinator of an older term than one seen before is left at once.
 */
export function createServing({ config, compute, exchange, source, kind, datasetSha256, address, log }: ServingParts) {
  const lengths = {
    generator: generatorLayout(config.generator).length,
    discriminator: discriminatorLayout(config.discriminator, config.data.crop).length,
  };
  const { gradients } = exchange;
  const batches = createBatchQueue(source);
  let newestTermSeen = 0;

  return async (coordinator: string, stop: AbortSignal): Promise<SessionEnd & { joined: boolean }> => {
    const client = new wire.Coordinator(coordinator, credentials.createInsecure(), bulkChannelOptions);
    const over = new AbortController();
    let joined: { term: number; parameters: ParameterSource } | undefined;
    const session = joinCoordinator(
      client,
      { protocolVersion, run: config.name, kind, exchangeAddress: address, datasetSha256, ...exchange.register },
      config.timing,
      {
        welcome(welcome) {
          const { term } = welcome;
          if (term < newestTermSeen) return session.leave();
          log.info({ event: 'joined', coordinator, term }, 'joined');
          newestTermSeen = term;
          const options = { silenceMs: config.timing.silenceMs, signal: over.signal };
          joined = { term, parameters: exchange.welcomed(welcome, client, options) };
        },
        lease(lease, token) {
          if (token.term !== joined?.term) return;
          const { replica: work, evaluation, leaseMs } = lease;
          const { parameters } = joined;
          if (work) leases.add({ token, leaseMs, work, source: parameters });
          else if (evaluation) void evaluate(token, evaluation, parameters);
        },
        leaseEnded: (token) => leases.end(token),
      },
      log,
    );
    const leases = createLeaseLoop(
      { config, compute, gradients, batches, lengths, parameters: createParameterCache(compute, lengths) },
      session,
    );
    const evaluate = async (token: Token__Output, work: EvaluationWork__Output, parameters: ParameterSource) => {
      try {
        const scores = await runEvaluation(compute, parameters, work, config, lengths.generator, over.signal);
        session.send({ evaluationDone: { token, scores } });
      } catch (error) {
        if (!over.signal.aborted)
          session.send({ leaseFailed: { token, reason: describeError(error), fatal: error instanceof FourfoldError } });
      }
    };
    stop.addEventListener('abort', session.leave);
    try {
      const end = await session.end;
      stop.throwIfAborted();
      return { ...end, joined: joined !== undefined };
    } finally {
      stop.removeEventListener('abort', session.leave);
      over.abort();
      leases.stop();
      gradients.clear();
      await joined?.parameters.close();
      client.close();
      log.debug({ event: 'left', coordinator, tensors: await compute.reset() }, 'left');
    }
  };
}
