import { computedDifference, computedKeys, isLoopback, parseAddress, type RunConfig } from '@fourfold/common';
import type { Register__Output, RpcSecurity } from '@fourfold/rpc';
import type { Exchange } from '../exchange/exchange.js';
import { completedKind, kindDifferences, parseKind, type WorkerKind } from './worker-kind.js';

/** What a worker must match. */
export interface Admission {
  datasetSha256: string;
  /** The keys of the config that decide what is computed, as JSON. */
  config: string;
  kind: WorkerKind;
  allowMixedKinds: boolean;
  /** host:port at which this coordinator is reached. */
  ownAddress: string;
  security: Pick<RpcSecurity, 'identity' | 'allowInsecure'>;
}

/** Why a worker may not join the run; undefined if it may. */
export function admissionProblem(
  worker: Pick<Register__Output, 'datasetSha256' | 'config' | 'kind' | 'exchangeAddress'>,
  run: Admission,
): string | undefined {
  if (worker.datasetSha256 !== run.datasetSha256)
    return 'the worker reads a different dataset from the coordinator’s: give both the same config';
  return (
    configProblem(worker.config, run) ??
    exchangeProblem(worker.exchangeAddress, run) ??
    kindProblem(worker.kind ?? {}, run)
  );
}

function configProblem(config: string, run: Admission): string | undefined {
  const difference = computedDifference(run.config, config);
  if (difference === undefined) return undefined;
  return `the coordinator’s config and the worker’s differ in ${difference}: give both the same config, and start them again`;
}

/**
 * A coordinator dials the address that a worker registers. The message's schema checks that it is a host:port and not
 * another kind of gRPC target, and the peer must present a worker's certificate. Without certificates anybody could
 * answer, so only this host is dialled.
 */
function exchangeProblem(address: string, { ownAddress, security }: Admission): string | undefined {
  if (address === ownAddress) return `${address} is the coordinator’s own address, not the worker’s`;
  if (security.identity || security.allowInsecure || isLoopback(parseAddress(address)?.host ?? '')) return undefined;
  return `${address} is on another machine, and there is no TLS: set FOURFOLD_TLS_CA, FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY, or FOURFOLD_INSECURE=1 where the network is trusted`;
}

function kindProblem(worker: WorkerKind, { kind, allowMixedKinds }: Admission): string | undefined {
  const differences = allowMixedKinds ? [] : kindDifferences(kind, worker);
  if (differences.length === 0) return undefined;
  const describe = (of: WorkerKind) => differences.map((field) => `${field} ${String(of[field])}`).join(', ');
  return `the run's workers have ${describe(kind)}, this one has ${describe(worker)}: their bits differ; start it like the others (the same release, workers.backend, workers.threads) or set workers.allowMixedKinds`;
}

export interface AdmissionParts {
  config: RunConfig;
  datasetSha256: string;
  /** The kind of the workers so far, as checkpoints record it. */
  kind: string | undefined;
  ports: { address: string; security: RpcSecurity };
  exchange: Pick<Exchange, 'connect'>;
}

/** Decides which workers may join the run: the first worker settles the kind. */
export function createAdmission({ config, datasetSha256, kind: before, ports, exchange }: AdmissionParts) {
  let kind = parseKind(before ?? '');
  const facts = { datasetSha256, config: computedKeys(config) };
  return {
    kind: () => JSON.stringify(kind),
    admit: (register: Register__Output) => {
      const { allowMixedKinds } = config.workers;
      const { address: ownAddress, security } = ports;
      const problem = admissionProblem(register, { ...facts, kind, allowMixedKinds, ownAddress, security });
      const connection = problem ? { problem } : exchange.connect(register);
      // A refused worker does not settle the kind.
      if (!('problem' in connection)) kind = completedKind(kind, register.kind ?? {});
      return connection;
    },
  };
}
