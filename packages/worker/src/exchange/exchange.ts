import {
  createHopCounts,
  createSharedFile,
  createStreamReceiver,
  createTraffic,
  deltaKinds,
  isSecret,
  networkOf,
  openSharedFile,
  randomStreamSecret,
  readRpcSecurity,
  readVector,
  secretStamp,
  wireFormats,
  type CoordinatorClient,
  type HopCounts,
  type NewParameters__Output,
  type PeerFile,
  type Register,
  type StreamSource,
  type Traffic,
  type Welcome__Output,
  type WireVector,
  type WorkerHandlers,
} from '@fourfold/rpc';
import { describeError, type ExchangeConfig, type Logger, type Network, type RunConfig } from '@fourfold/common';
import { networkWires, type NetworkWires } from '@fourfold/weights';
import { createGradientStore, type GradientStore } from './gradient-store.js';
import { createParameterArrivals } from './parameter-arrivals.js';
import { createParameterPulls } from './parameter-pulls.js';
import { createParameterRelay, type ParameterRelay } from './parameter-relay.js';
import { createSharedGradients } from './shared-gradients.js';
import { createSumHop, type SumHopSource } from './sum-hop.js';

/*
 * How parameters and gradients cross between this worker and its coordinator. No other part of the worker knows.
 */

/** Where parameters come from: a coordinator in its term. */
export interface ParameterSource {
  /**
   * Fetch a network's parameters at a stated version into `target`, and decode them. `held` is the version that this source has
   * put there, if it did: where parameters cross as deltas, those to the next version are enough. Before the whole vector in `target` changes,
   * `changing` is called: until then a failure leaves it as it was. Rejects with FAILED_PRECONDITION if the coordinator no longer has them,
   * or drops the update that makes them.
   */
  fetch(
    network: Network,
    version: number,
    target: WireVector,
    now: { held?: number; changing: () => void },
  ): Promise<void>;
  /** The generator that an evaluation of `version` measures, in float32: what a checkpoint of that version holds. */
  fetchEvaluated(version: number, target: Float32Array): Promise<void>;
  /** The coordinator says from which worker `fetch` gets a version. */
  announced(parameters: NewParameters__Output): void;
  close(): Promise<void>;
}

export interface WorkerExchange {
  /** What the coordinator asks of a worker. */
  readonly handlers: WorkerHandlers;
  /** The same by the bulk stream. */
  readonly stream: StreamSource;
  /** What Register says to the coordinator about the exchange. */
  readonly register: Pick<Register, 'hostCheck' | 'hostSecret' | 'formats' | 'streamSecret'>;
  /** How the networks' vectors cross. */
  readonly wires: Record<Network, NetworkWires>;
  /** Gradients on their way to the coordinator. */
  readonly gradients: GradientStore;
  /** Bytes of parameters passed on to other workers so far. */
  readonly passedBytes: () => number;
  /** What came from other workers along a chain. */
  readonly counts: HopCounts;
  /** Bytes so far: parameters received, gradients sent. */
  readonly traffic: Readonly<Traffic>;
  /** The coordinator at `address`, that of `client`, has answered: exchange with it as `welcome` says. */
  welcomed(
    welcome: Welcome__Output,
    client: CoordinatorClient,
    options: {
      address: string;
      silenceMs: number;
      signal: AbortSignal;
      /** A worker did not pass on parameters. */
      onSilent: (worker: number) => void;
    },
  ): ParameterSource;
  close(): Promise<void>;
}

/**
 * A worker's side of the exchange, for its whole life. Without shared memory it uses only streams; throws `unavailable` if the
 * config insists on shared memory.
 */
// eslint-disable-next-line max-lines-per-function -- short methods that share files and secrets
export async function createWorkerExchange(run: RunConfig, log: Logger): Promise<WorkerExchange> {
  const { exchange: config } = run;
  const wires = networkWires(run);
  const traffic = createTraffic();
  const shared = createSharedGradients(config, log);
  const gradients = createGradientStore(shared, traffic.gradients);
  const check = await createHostCheck(config, log);
  const receiver = createStreamReceiver(readRpcSecurity(process.env));
  const relay = createParameterRelay(run.timing.silenceMs);
  const counts = createHopCounts();
  const streamSecret = config.transport === 'grpc' ? undefined : randomStreamSecret();
  return {
    wires,
    gradients,
    handlers: gradients.handlers,
    traffic,
    passedBytes: relay.passedBytes,
    counts,
    stream: createWorkerStream(
      gradients,
      createSumHop({ gradients, wires: Object.values(wires), receiver, traffic: traffic.gradients, counts, log }),
      relay,
      streamSecret,
    ),
    register: {
      formats: wireFormats(config),
      streamSecret,
      ...(check && { hostCheck: check.file.place, hostSecret: check.secret }),
    },
    welcomed({ term, sharedMemory, parameters, streamSecret }, client, { address, silenceMs, signal, onSilent }) {
      shared.use(sharedMemory);
      const files = openParameters(parameters, log);

      /** Whether the vector was in shared memory. */
      const read = async (network: Network, number: number, target: Uint8Array): Promise<boolean> => {
        const file = (await files).get(network);
        const stamp = { term, number };
        if (!file?.holds(stamp)) return false;
        try {
          await readVector(file, stamp, target, signal);
          traffic.parameters['shared-memory'] += target.byteLength;
        } catch (error) {
          if (signal.aborted) throw error;
          // The coordinator has moved on meanwhile; it will say so when asked.
          return false;
        }
        return true;
      };
      const pulls = createParameterPulls({
        ...{ client, receiver, term, silenceMs, signal, log },
        transport: config.transport,
        peer: { address, role: 'coordinator', secret: streamSecret },
        traffic: traffic.parameters,
      });
      const arrivals = createParameterArrivals({
        ...{ receiver, relay, pulls, term, counts, silenceMs, signal, onSilent, log },
        traffic: traffic.parameters,
      });
      return {
        async fetch(network, version, target, { held, changing }) {
          if (target.deltas && held === version - 1 && !sharedMemory) {
            await arrivals.fetch(network, deltaKinds[network], version, target.deltas.bytes);
            changing();
            return target.deltas.apply();
          }
          changing();
          if (await read(network, version, target.bytes)) return target.decode();
          await arrivals.fetch(network, network, version, target.bytes);
          target.decode();
        },
        fetchEvaluated: (version, { buffer, byteOffset, byteLength }) =>
          pulls.pull('evaluated', version, { target: new Uint8Array(buffer, byteOffset, byteLength) }),
        announced: (parameters) => arrivals.announced(parameters),
        async close() {
          pulls.close();
          for (const file of (await files).values()) await file.close();
        },
      };
    },
    async close() {
      await shared.close();
      await receiver.close();
      await check?.file.close();
    },
  };
}

/** Serves gradients and sums, and parameters on their way, by the bulk stream to who shows the secret. */
const createWorkerStream =
  (
    gradients: GradientStore,
    sumHop: SumHopSource,
    relay: ParameterRelay,
    streamSecret: Uint8Array | undefined,
  ): StreamSource =>
  (request) => {
    const { kind, secret, term, number, begin } = request;
    if (!streamSecret || !isSecret(secret, streamSecret)) return 'stranger';
    if (kind === 'sum') return sumHop(request);
    if (kind === 'gradient') return gradients.streamed({ term, number }, begin);
    return kind === 'evaluated' ? 'absent' : relay.source({ ...request, kind });
  };

/** A file by which a coordinator recognises that it is on this host. */
async function createHostCheck({ transport, folder }: ExchangeConfig, log: Logger) {
  if (transport === 'grpc' || transport === 'stream') return undefined;
  try {
    const [file, secret] = [await createSharedFile(folder), secretStamp()];
    await file.write(secret, new Uint8Array());
    return { file, secret };
  } catch (error) {
    if (transport === 'shared-memory') throw error;
    log.info({ event: 'no-shared-memory', reason: describeError(error) }, 'parameters and gradients are pulled');
    return undefined;
  }
}

/** The coordinator's files by network; a network whose file cannot be opened is pulled. */
async function openParameters(parameters: Welcome__Output['parameters'], log: Logger): Promise<Map<Network, PeerFile>> {
  const files = new Map<Network, PeerFile>();
  try {
    for (const { network, file } of parameters) {
      if (file) files.set(networkOf(network), await openSharedFile(file));
    }
  } catch (error) {
    log.info({ event: 'no-shared-memory', reason: describeError(error) }, 'parameters are pulled');
  }
  return files;
}
