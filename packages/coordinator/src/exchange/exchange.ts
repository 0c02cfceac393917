import { status } from '@grpc/grpc-js';
import {
  createTraffic,
  createWorkerClient,
  endWithStatus,
  formatsProblem,
  messageProblem,
  networkOf,
  parametersRequestSchema,
  readRpcSecurity,
  sendVector,
  whyNotShared,
  wireNetworks,
  type CoordinatorHandlers,
  type Register__Output,
  type SharedFile__Output,
  type Token__Output,
  type Traffic,
  type Transport,
  type Welcome,
} from '@fourfold/rpc';
import { describeError, type ExchangeConfig, type Logger, type Network } from '@fourfold/common';
import { isUnrounded } from '@fourfold/weights';
import { pulledPieces, sharedPieces, type GradientSource } from './gradient-pieces.js';
import type { Master } from '../updates/master.js';
import type { ParameterFiles } from './parameter-files.js';

/*
 * How parameters and gradients cross between the coordinator and its workers. The rest of the coordinator does not
 * know: it sees a gradient as a source of pieces, and publishes parameters.
 */

/** The exchange with one worker. */
export interface Connection {
  readonly transport: Transport;
  /** What Welcome tells the worker about it. */
  readonly welcome: Pick<Welcome, 'sharedMemory' | 'parameters'>;
  /** The gradient that a GradientReady announced: in `file`, or pulled from the worker. */
  gradient(token: Token__Output, file: SharedFile__Output | null): GradientSource;
  close(): void;
}

export interface Exchange {
  /** Choose how to exchange with a worker. Returns the problem if the config leaves no way. */
  connect(register: Register__Output): Connection | { problem: string };
  /**
   * Make the networks' newest parameters available, before leases that need them are granted. Throws `no-space` if the
   * config insists on shared memory and it is full.
   */
  publish(): Promise<void>;
  /** Serves parameters to workers that pull them. */
  readonly handlers: Pick<CoordinatorHandlers, 'PullParameters'>;
  /** Bytes so far. What is published in shared memory counts once, however many workers read it. */
  readonly traffic: Readonly<Traffic>;
}

type ServedMaster = Pick<Master, 'networks' | 'state' | 'versions' | 'serve' | 'serveEvaluated'> & {
  updater: Pick<Master['updater'], 'encodeParameters'>;
};

/** The exchange of a coordinator in its term. Without `files` every worker gets streams. */
// eslint-disable-next-line max-lines-per-function -- short methods that share what is encoded and who shares memory
export function createExchange(
  { transport, ...config }: ExchangeConfig,
  files: ParameterFiles,
  term: number,
  master: ServedMaster,
  log: Logger,
  security = readRpcSecurity(process.env),
): Exchange {
  const traffic = createTraffic();
  const isRequired = transport === 'shared-memory';
  /** Versions whose wire vector exists: parameters are rounded once, for all workers and transports. */
  const encoded = new Map<Network, number>();
  let sharing = 0;

  /** Why this worker gets streams; undefined if it shares memory. */
  const whyStreams = ({ hostCheck, hostSecret }: Register__Output): string | undefined => {
    if (transport === 'grpc') return 'the coordinator’s config says so';
    if (!hostCheck || !hostSecret) return 'the worker has no shared memory';
    return whyNotShared(hostCheck, hostSecret);
  };

  const count = (by: Transport, source: GradientSource): GradientSource =>
    async function* (options) {
      for await (const piece of source(options)) {
        yield piece;
        traffic.gradients[by] += piece.byteLength;
      }
    };

  return {
    traffic,
    connect(register) {
      const problem = formatsProblem(config, register.formats);
      if (problem) return { problem };
      const reason = whyStreams(register);
      if (reason && isRequired) return { problem: `exchange.transport is shared-memory, but ${reason}` };
      if (reason && transport === 'auto') {
        const { exchangeAddress } = register;
        log.info({ event: 'no-shared-memory', exchangeAddress, reason }, 'gradients cross by gRPC');
      }
      const client = createWorkerClient(register.exchangeAddress, security);
      if (!reason) sharing++;
      return {
        transport: reason ? 'grpc' : 'shared-memory',
        welcome: {
          sharedMemory: !reason,
          parameters: reason
            ? []
            : files.places().map(({ network, place }) => ({ network: wireNetworks[network], file: place })),
        },
        gradient: (token, place) =>
          place && !reason
            ? count('shared-memory', (options) => sharedPieces(place, token, options))
            : count('grpc', (options) => pulledPieces(client, token, options)),
        close() {
          if (!reason) sharing--;
          client.close();
        },
      };
    },

    async publish() {
      for (const network of master.networks) {
        const version = master.versions()[network];
        if (encoded.get(network) === version) continue;
        encoded.delete(network);
        await master.updater.encodeParameters(master.state(network));
        encoded.set(network, version);
      }
      if (sharing === 0) return;
      traffic.parameters['shared-memory'] += await files.publish(term, master);
    },

    handlers: {
      PullParameters(call) {
        const problem = messageProblem(parametersRequestSchema, call.request);
        if (problem) return endWithStatus(call, status.INVALID_ARGUMENT, problem);
        const { term: asked, network: wanted, version, forEvaluation } = call.request;
        const found =
          asked === term
            ? parametersOf(master, encoded, { network: networkOf(wanted), version, forEvaluation })
            : undefined;
        if (!found) {
          const what = `${wanted} version ${version} of term ${asked}`;
          endWithStatus(call, status.FAILED_PRECONDITION, `${what} is not available`);
          return;
        }
        traffic.parameters.grpc += found.bytes.byteLength;
        sendVector(call, found.bytes, 0, found.stillValid).catch((error: unknown) =>
          endWithStatus(call, status.INTERNAL, describeError(error)),
        );
      },
    },
  };
}

/** The wire vector of a network's parameters at a version, for a worker that pulls it; undefined if it is not there. */
function parametersOf(
  master: ServedMaster,
  encoded: ReadonlyMap<Network, number>,
  { network, version, forEvaluation }: { network: Network; version: number; forEvaluation: boolean },
) {
  if (!master.networks.includes(network)) return undefined;
  const { wire, wires } = master.state(network);
  if (!forEvaluation && !isUnrounded(wires.parameters)) {
    const stillValid = () => encoded.get(network) === version;
    return stillValid() ? { bytes: wire, stillValid } : undefined;
  }
  const found = forEvaluation ? master.serveEvaluated(version) : master.serve(network, version);
  if (!found) return undefined;
  const { vector, stillValid } = found;
  return { bytes: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), stillValid };
}
