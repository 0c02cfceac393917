import { credentials, status } from '@grpc/grpc-js';
import {
  bulkChannelOptions,
  createSharedFile,
  describeError,
  endWithStatus,
  openSharedFile,
  pieceElements,
  receiveVector,
  sendVector,
  whyNotShared,
  wire,
  type CoordinatorHandlers,
  type ExchangeConfig,
  type Logger,
  type OwnFile,
  type ReceiveOptions,
  type Register__Output,
  type SharedFile__Output,
  type Token__Output,
  type Welcome,
  type WorkerClient,
} from '@fourfold/common';
import type { Master } from './master.js';
import type { Network } from './schedule.js';
import type { SharedRange } from './updater.js';

/*
 * How parameters and gradients cross between the coordinator and its workers. Nothing else in the coordinator knows: a
 * worker's gradient is a source of pieces, and parameters are published.
 */

/** A stretch of a gradient: its bytes, or where they are in shared memory for whoever reads them. */
export type GradientPiece = { begin: number; count: number } & (
  { bytes: Uint8Array } | { shared: Pick<SharedRange, 'descriptor' | 'stamp'> }
);

/**
 * The pieces of one gradient from an element on, in order; each is good until the next one is asked for. Throws
 * `unavailable` when they stop coming, `mismatch` on a wrong one.
 */
export type GradientSource = (options: ReceiveOptions) => AsyncIterable<GradientPiece>;

export type Transport = 'shared-memory' | 'grpc';

/** What the exchange with one worker is. */
export interface Connection {
  readonly transport: Transport;
  /** What Welcome tells the worker about it. */
  readonly welcome: Pick<Welcome, 'sharedMemory' | 'parameters'>;
  /** The gradient that a GradientReady announced, in `file` or to be pulled. */
  gradient(token: Token__Output, file: SharedFile__Output | null): GradientSource;
  close(): void;
}

export type Traffic = Record<'parameters' | 'gradients', Record<Transport, number>>;

export interface Exchange {
  /** Find out how to exchange with a worker. Returns why not where the config leaves no way. */
  connect(register: Register__Output): Connection | { problem: string };
  /**
   * Make the networks' newest parameters available, before work is given out that needs them. Throws `no-space` where the
   * config insists on shared memory and it is full.
   */
  publish(): Promise<void>;
  /** Serves parameters to those who pull them. */
  readonly handlers: Pick<CoordinatorHandlers, 'PullParameters'>;
  /** Bytes so far. What is published in shared memory counts once, however many workers read it. */
  readonly traffic: Readonly<Traffic>;
  close(): Promise<void>;
}

/**
 * The exchange of a coordinator in its term. Where there is no shared memory every worker gets streams; throws
 * `unavailable` when the config insists on it.
 */
export async function createExchange(
  { transport, folder }: ExchangeConfig,
  term: number,
  master: Pick<Master, 'networks' | 'state' | 'versions' | 'serve'>,
  log: Logger,
): Promise<Exchange> {
  const traffic: Traffic = {
    parameters: { 'shared-memory': 0, grpc: 0 },
    gradients: { 'shared-memory': 0, grpc: 0 },
  };
  const isRequired = transport === 'shared-memory';
  /** By network; none without shared memory. */
  const files = new Map<Network, { file: OwnFile; version?: number }>();
  let sharing = 0;

  /** Go on without, unless the config insists. */
  const withoutSharedMemory = (error: unknown): void => {
    if (isRequired) throw error;
    log.info({ event: 'no-shared-memory', reason: describeError(error) }, 'parameters cross by gRPC');
  };
  if (transport !== 'grpc') {
    try {
      for (const network of master.networks) files.set(network, { file: await createSharedFile(folder) });
    } catch (error) {
      withoutSharedMemory(error);
    }
  }

  /** Why this worker gets streams, unless it shares memory. */
  const whyStreams = ({ hostCheck, hostSecret }: Register__Output): string | undefined => {
    if (transport === 'grpc') return 'the coordinator’s config says so';
    if (!hostCheck || !hostSecret) return 'the worker has no shared memory';
    return whyNotShared(hostCheck, hostSecret);
  };

  const count = (by: Transport, source: GradientSource): GradientSource =>
    async function* (options) {
      for await (const piece of source(options)) {
        yield piece;
        traffic.gradients[by] += piece.count * Float32Array.BYTES_PER_ELEMENT;
      }
    };

  return {
    traffic,
    connect(register) {
      const reason = whyStreams(register);
      if (reason && isRequired) return { problem: `exchange.transport is shared-memory, but ${reason}` };
      if (reason && transport === 'auto') {
        const { exchangeAddress } = register;
        log.info({ event: 'no-shared-memory', exchangeAddress, reason }, 'gradients cross by gRPC');
      }
      const client = new wire.Worker(register.exchangeAddress, credentials.createInsecure(), bulkChannelOptions);
      if (!reason) sharing++;
      return {
        transport: reason ? 'grpc' : 'shared-memory',
        welcome: {
          sharedMemory: !reason,
          parameters: reason
            ? []
            : [...files].map(([network, { file }]) => ({ network: wireName(network), file: file.place })),
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
      if (sharing === 0) return;
      try {
        for (const [network, published] of files) {
          const version = master.versions()[network];
          if (published.version === version) continue;
          const { vector } = master.state(network);
          await published.file.write({ term, number: version }, vector);
          published.version = version;
          traffic.parameters['shared-memory'] += vector.byteLength;
        }
      } catch (error) {
        // What workers do not find there they pull.
        await closeFiles();
        withoutSharedMemory(error);
      }
    },

    handlers: {
      PullParameters(call) {
        const { term: asked, network, version } = call.request;
        const found =
          asked === term ? master.serve(network === 'GENERATOR' ? 'generator' : 'discriminator', version) : undefined;
        if (!found) {
          const what = `${network} version ${version} of term ${asked}`;
          endWithStatus(call, status.FAILED_PRECONDITION, `${what} is not there`);
          return;
        }
        traffic.parameters.grpc += found.vector.byteLength;
        sendVector(call, found.vector, 0, found.stillValid).catch((error: unknown) =>
          endWithStatus(call, status.INTERNAL, describeError(error)),
        );
      },
    },
    close: closeFiles,
  };

  async function closeFiles(): Promise<void> {
    const open = [...files.values()];
    files.clear();
    for (const { file } of open) await file.close();
  }
}

async function* pulledPieces(
  client: WorkerClient,
  token: Token__Output,
  options: ReceiveOptions,
): AsyncGenerator<GradientPiece> {
  const call = client.PullGradient({ token, begin: options.begin });
  for await (const { begin, bytes } of receiveVector(call, options)) {
    yield { begin, bytes, count: bytes.byteLength / Float32Array.BYTES_PER_ELEMENT };
  }
}

async function* sharedPieces(
  place: SharedFile__Output,
  token: Token__Output,
  { begin, length }: ReceiveOptions,
): AsyncGenerator<GradientPiece> {
  const file = await openSharedFile(place);
  const shared = { descriptor: file.descriptor, stamp: { term: token.term, number: token.number } };
  try {
    for (let at = begin; at < length; at += pieceElements) {
      yield { begin: at, count: Math.min(pieceElements, length - at), shared };
    }
  } finally {
    await file.close();
  }
}

const wireName = (network: Network) => (network === 'generator' ? 'GENERATOR' : 'DISCRIMINATOR');
