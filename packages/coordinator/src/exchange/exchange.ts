import { status } from '@grpc/grpc-js';
import {
  createHopCounts,
  createStreamReceiver,
  createTraffic,
  endWithStatus,
  formatsProblem,
  isSecret,
  messageProblem,
  networkOf,
  parameterKinds,
  parametersRequestSchema,
  randomStreamSecret,
  readRpcSecurity,
  sendVector,
  sumFailure,
  sumRequest,
  whyNotShared,
  wireNetworks,
  type CoordinatorHandlers,
  type HopCounts,
  type NewParameters,
  type PulledParameters,
  type Register__Output,
  type SharedFile__Output,
  type StreamKind,
  type StreamOptions,
  type StreamPeer,
  type StreamSource,
  type SumHop,
  type Token__Output,
  type Traffic,
  type Transport,
  type Welcome,
} from '@fourfold/rpc';
import { describeError, machineId, type ExchangeConfig, type Logger, type Network } from '@fourfold/common';
import { isUnrounded } from '@fourfold/weights';
import { sharedPieces, type GradientSource } from './gradient-pieces.js';
import type { Master } from '../updates/master.js';
import type { ParameterFiles } from './parameter-files.js';
import { arrivingPieces } from './arriving-pieces.js';
import { createHopBar, type HopBar } from './barred-hops.js';
import { chooseRoute, type Route } from './choose-route.js';
import { createParameterChain } from './parameter-chain.js';
import { createWorkerPulls } from './worker-pulls.js';

/*
 * How parameters and gradients cross between the coordinator and its workers. The rest of the coordinator does not
 * know: it sees a gradient as a source of pieces, and publishes parameters.
 */

/** The exchange with one worker. */
export interface Connection {
  readonly transport: Transport;
  /** What Welcome tells the worker about it. */
  readonly welcome: Pick<Welcome, 'sharedMemory' | 'parameters' | 'streamSecret'>;
  /** The gradient that a GradientReady announced: in `file`, or pulled from the worker. */
  gradient(token: Token__Output, file: SharedFile__Output | null): GradientSource;
  /** The worker on the bulk stream, where it may be a hop of a chain; undefined if its gradients cross in another way. */
  readonly hop?: StreamPeer;
  /** The worker has a seat: along a chain, `tell` it from whom it gets parameters. */
  seated(worker: number, tell: (parameters: NewParameters) => void): void;
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
  /**
   * The pieces of a sum along a chain of workers, in order; each is valid until the next is requested. Throws an error that names the
   * worker at fault (`lost`), or the signal's reason.
   */
  sum(hops: readonly SumHop[], options: StreamOptions): AsyncIterable<{ begin: number; bytes: Uint8Array }>;
  /** The way that the next update takes. */
  route(): Route;
  /**
   * Along a chain: workers may ask for a network's next version from now on, whose update has begun (`Master.beginUpdate`). It passes along
   * the chain as far as it is there, the end when it is committed. The result says that it will not be: then `publish` begins anew.
   */
  publishEarly(network: Network): () => void;
  /** Workers that are no hops for a while. */
  readonly bar: HopBar;
  /** What came along chains. */
  readonly counts: HopCounts;
  /** Serves parameters to workers that pull them. */
  readonly handlers: Pick<CoordinatorHandlers, 'PullParameters'>;
  /** Serves them by the bulk stream. */
  readonly stream: StreamSource;
  /** Bytes so far. What is published in shared memory counts once, however many workers read it. */
  readonly traffic: Readonly<Traffic>;
  close(): Promise<void>;
}

type ServedMaster = Pick<
  Master,
  'networks' | 'state' | 'versions' | 'arriving' | 'serve' | 'serveDeltas' | 'serveEvaluated'
> & {
  updater: Pick<Master['updater'], 'encodeParameters'>;
};

/** The exchange of a coordinator in its term. Without `files` every worker gets streams. */
// eslint-disable-next-line max-lines-per-function -- short methods that share what is encoded and who shares memory
export function createExchange(
  { exchange: { transport, route: routeSetting, ...config } }: { exchange: ExchangeConfig },
  files: ParameterFiles,
  term: number,
  master: ServedMaster,
  log: Logger,
  security = readRpcSecurity(process.env),
): Exchange {
  const traffic = createTraffic();
  const isRequired = transport === 'shared-memory';
  /** Networks whose first version has been rounded for the wire; the others are by their updates. */
  const encoded = new Set<Network>();
  /** Versions that workers along the chain have been told of. */
  const announced = new Map<Network, number>();
  let sharing = 0;
  const receiver = createStreamReceiver(security);
  /** The frames' headers of the version of each kind that was sent last. */
  const sent = new Map<StreamKind, { version: number; headers: Map<number, Uint8Array> }>();
  /** Of the workers that use the bulk stream. */
  const secrets = new Set<Uint8Array>();
  const bar = createHopBar((silent, forMs) =>
    log.info({ event: 'hop-silent', silent, forMs }, 'a worker did not pass on its part, and is no hop for a while'),
  );
  const chain = createParameterChain(bar);
  const counts = createHopCounts();
  const ownMachine = machineId();
  const route = () => chooseRoute(routeSetting, chain.machines(), ownMachine);

  /** Why this worker shares no memory; undefined if it does. */
  const whyNotSharing = ({ hostCheck, hostSecret }: Register__Output): string | undefined => {
    if (transport === 'grpc' || transport === 'stream') return 'the coordinator’s config says so';
    if (!hostCheck || !hostSecret) return 'the worker has no shared memory';
    return whyNotShared(hostCheck, hostSecret);
  };

  const parametersAt = (asked: number, wanted: Wanted) =>
    asked === term ? parametersOf(master, encoded, wanted) : undefined;

  const countShared = (source: GradientSource): GradientSource =>
    async function* (options) {
      for await (const piece of source(options)) {
        yield piece;
        traffic.gradients['shared-memory'] += piece.byteLength;
      }
    };

  return {
    traffic,
    bar,
    counts,
    route,
    connect(register) {
      const problem = formatsProblem(config, register.formats);
      if (problem) return { problem };
      const reason = whyNotSharing(register);
      if (reason && isRequired) return { problem: `exchange.transport is shared-memory, but ${reason}` };
      const pulls = createWorkerPulls(register, { transport, receiver, security, traffic: traffic.gradients, log });
      if (transport === 'stream' && pulls.by === 'grpc') {
        pulls.close();
        return {
          problem: 'exchange.transport is stream, but the worker’s config says grpc: give both the same config',
        };
      }
      if (reason && transport === 'auto') {
        const { exchangeAddress } = register;
        log.info({ event: 'no-shared-memory', exchangeAddress, reason, by: pulls.by }, 'gradients are pulled');
      }
      const streamSecret = pulls.by === 'stream' ? randomStreamSecret() : undefined;
      if (streamSecret) secrets.add(streamSecret);
      if (!reason) sharing++;
      let leaveChain: (() => void) | undefined;
      return {
        transport: reason ? pulls.by : 'shared-memory',
        welcome: {
          sharedMemory: !reason,
          parameters: reason
            ? []
            : files.places().map(({ network, place }) => ({ network: wireNetworks[network], file: place })),
          ...(streamSecret && { streamSecret }),
        },
        ...(reason && pulls.by === 'stream' && { hop: pulls.peer }),
        seated(worker, tell) {
          if (!reason || pulls.by !== 'stream') return;
          leaveChain = chain.join({ worker, machine: register.machine, peer: pulls.peer, tell });
        },
        gradient: (token, place) =>
          place && !reason ? countShared((options) => sharedPieces(place, token, options)) : pulls.source(token),
        close() {
          if (!reason) sharing--;
          leaveChain?.();
          if (streamSecret) secrets.delete(streamSecret);
          pulls.close();
        },
      };
    },

    async *sum(hops, options) {
      const { peer, request } = sumRequest(hops, term, 0);
      try {
        for await (const piece of counts.counted(peer.address, receiver.receive(peer, request, options))) {
          yield piece;
          traffic.gradients.stream += piece.bytes.byteLength;
        }
      } catch (error) {
        throw options.signal.aborted ? error : sumFailure(hops, error);
      }
    },

    async publish() {
      for (const network of master.networks) {
        const version = master.versions()[network];
        if (!encoded.has(network)) await master.updater.encodeParameters(master.state(network));
        encoded.add(network);
        if (announced.get(network) === version) continue;
        announced.set(network, version);
        if (route() === 'chain') chain.announce(network, version);
      }
      if (sharing === 0) return;
      traffic.parameters['shared-memory'] += await files.publish(term, master);
    },

    publishEarly(network) {
      const version = master.versions()[network] + 1;
      announced.set(network, version);
      chain.announce(network, version);
      return () => void announced.delete(network);
    },

    handlers: {
      PullParameters(call) {
        const problem = messageProblem(parametersRequestSchema, call.request);
        if (problem) return endWithStatus(call, status.INVALID_ARGUMENT, problem);
        const { term: asked, network: wanted, version, forEvaluation, deltas } = call.request;
        const found = parametersAt(asked, { network: networkOf(wanted), version, forEvaluation, deltas });
        if (!found) {
          const what = `${wanted} version ${version} of term ${asked}${deltas ? ' in deltas' : ''}`;
          endWithStatus(call, status.FAILED_PRECONDITION, `${what} is not available`);
          return;
        }
        traffic.parameters.grpc += found.bytes.byteLength;
        sendVector(call, found.bytes, 0, found.stillValid).catch((error: unknown) =>
          endWithStatus(call, status.INTERNAL, describeError(error)),
        );
      },
    },

    stream({ kind, secret, term: asked, number: version, begin }) {
      if (![...secrets].some((known) => isSecret(secret, known))) return 'stranger';
      if (kind === 'gradient' || kind === 'sum') return 'absent';
      const wanted = { ...parameterKinds[kind], version };
      const arriving = asked === term && !wanted.forEvaluation && master.arriving(wanted.network);
      if (arriving && arriving.version === version) {
        const { wires } = master.state(wanted.network);
        const isNewest = () => master.versions()[wanted.network] === version;
        const count = (bytes: number) => void (traffic.parameters.stream += bytes);
        return arrivingPieces(arriving, { wires, deltas: wanted.deltas, begin, isNewest, count });
      }
      const found = parametersAt(asked, wanted);
      if (!found) return 'gone';
      traffic.parameters.stream += Math.max(0, found.bytes.byteLength - begin);
      if (sent.get(kind)?.version !== version) sent.set(kind, { version, headers: new Map() });
      return { ...found, headers: sent.get(kind)?.headers };
    },

    close: () => receiver.close(),
  };
}

/** Parameters that a worker asks for. */
type Wanted = PulledParameters & { version: number };

/** The wire vector of a network's parameters at a version, for a worker that pulls it; undefined if it is not there. */
function parametersOf(
  master: ServedMaster,
  encoded: ReadonlySet<Network>,
  { network, version, forEvaluation, deltas }: Wanted,
) {
  if (!master.networks.includes(network)) return undefined;
  if (deltas) return master.serveDeltas(network, version);
  const { wire, wires } = master.state(network);
  if (!forEvaluation && !isUnrounded(wires.parameters)) {
    const stillValid = () => master.versions()[network] === version;
    return stillValid() && encoded.has(network) ? { bytes: wire, stillValid } : undefined;
  }
  const found = forEvaluation ? master.serveEvaluated(version) : master.serve(network, version);
  if (!found) return undefined;
  const { vector, stillValid } = found;
  return { bytes: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), stillValid };
}
