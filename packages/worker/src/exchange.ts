import {
  createSharedFile,
  describeError,
  openSharedFile,
  readVector,
  receiveVector,
  secretStamp,
  type CoordinatorClient,
  type ExchangeConfig,
  type Logger,
  type PeerFile,
  type Register,
  type Welcome__Output,
  type WorkerHandlers,
} from '@fourfold/common';
import { createGradientStore, type GradientStore } from './gradient-store.js';
import { createSharedGradients } from './shared-gradients.js';

/*
 * How parameters and gradients cross between this worker and its coordinator. Nothing else in the worker knows.
 */

export type NetworkName = 'generator' | 'discriminator';

/** Where parameters come from: a coordinator in its term. */
export interface ParameterSource {
  /**
   * Fetch a network's vector at a stated version into `target`. Rejects with FAILED_PRECONDITION where the coordinator
   * does not have it any more.
   */
  fetch(network: NetworkName, version: number, target: Float32Array): Promise<void>;
  close(): Promise<void>;
}

export interface WorkerExchange {
  /** What the coordinator asks of a worker. */
  readonly handlers: WorkerHandlers;
  /** What Register tells the coordinator about it. */
  readonly register: Pick<Register, 'hostCheck' | 'hostSecret'>;
  /** Gradients on their way to the coordinator. */
  readonly gradients: GradientStore;
  /** The coordinator behind `client` has answered: exchange with it in the way that it says. */
  welcomed(
    welcome: Welcome__Output,
    client: CoordinatorClient,
    options: { silenceMs: number; signal: AbortSignal },
  ): ParameterSource;
  close(): Promise<void>;
}

/**
 * A worker's side of the exchange, for its whole life. Where there is no shared memory it has streams alone; throws
 * `unavailable` when the config insists on it.
 */
export async function createWorkerExchange(config: ExchangeConfig, log: Logger): Promise<WorkerExchange> {
  const shared = createSharedGradients(config, log);
  const gradients = createGradientStore(shared);
  const check = await createHostCheck(config, log);
  return {
    gradients,
    handlers: gradients.handlers,
    register: check ? { hostCheck: check.file.place, hostSecret: check.secret } : {},
    welcomed({ term, sharedMemory, parameters }, client, { silenceMs, signal }) {
      shared.use(sharedMemory);
      const files = openParameters(parameters, log);

      /** Whether the vector was there. */
      const read = async (network: NetworkName, number: number, target: Float32Array): Promise<boolean> => {
        const file = (await files).get(network);
        const stamp = { term, number };
        if (!file?.holds(stamp)) return false;
        try {
          await readVector(file, stamp, target, signal);
        } catch (error) {
          if (signal.aborted) throw error;
          // The coordinator has moved on meanwhile; it says so when it is asked.
          return false;
        }
        return true;
      };
      const pull = async (network: NetworkName, version: number, target: Float32Array): Promise<void> => {
        const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
        const call = client.PullParameters({ term, network: wireNames[network], version });
        for await (const chunk of receiveVector(call, { begin: 0, length: target.length, silenceMs, signal })) {
          bytes.set(chunk.bytes, chunk.begin * Float32Array.BYTES_PER_ELEMENT);
        }
      };
      return {
        async fetch(network, version, target) {
          if (!(await read(network, version, target))) await pull(network, version, target);
        },
        async close() {
          for (const file of (await files).values()) await file.close();
        },
      };
    },
    async close() {
      await shared.close();
      await check?.file.close();
    },
  };
}

const wireNames = { generator: 'GENERATOR', discriminator: 'DISCRIMINATOR' } as const;

/** A file by which a coordinator of this host recognises that it is one. */
async function createHostCheck({ transport, folder }: ExchangeConfig, log: Logger) {
  if (transport === 'grpc') return undefined;
  try {
    const [file, secret] = [await createSharedFile(folder), secretStamp()];
    await file.write(secret, new Float32Array());
    return { file, secret };
  } catch (error) {
    if (transport === 'shared-memory') throw error;
    log.info({ event: 'no-shared-memory', reason: describeError(error) }, 'parameters and gradients cross by gRPC');
    return undefined;
  }
}

/** The coordinator's files by network; what cannot be opened is pulled. */
async function openParameters(
  parameters: Welcome__Output['parameters'],
  log: Logger,
): Promise<Map<NetworkName, PeerFile>> {
  const files = new Map<NetworkName, PeerFile>();
  try {
    for (const { network, file } of parameters) {
      if (file) files.set(network === 'GENERATOR' ? 'generator' : 'discriminator', await openSharedFile(file));
    }
  } catch (error) {
    log.info({ event: 'no-shared-memory', reason: describeError(error) }, 'parameters cross by gRPC');
  }
  return files;
}
