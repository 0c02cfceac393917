import type { ExchangeConfig, Logger } from '@fourfold/common';
import {
  createStreamChoice,
  createWorkerClient,
  type Register__Output,
  type RpcSecurity,
  type StreamPeer,
  type StreamReceiver,
  type Token__Output,
  type Traffic,
} from '@fourfold/rpc';
import { pulledPieces, streamedPieces, type GradientSource } from './gradient-pieces.js';

/** The gradients of one worker that have to be pulled. */
export interface WorkerPulls {
  /** How they cross. */
  readonly by: 'stream' | 'grpc';
  /** The worker on the bulk stream. */
  readonly peer: StreamPeer;
  source(token: Token__Output): GradientSource;
  close(): void;
}

interface PullParts {
  transport: ExchangeConfig['transport'];
  receiver: StreamReceiver;
  security: RpcSecurity;
  /** Counts the bytes that arrive. */
  traffic: Traffic['gradients'];
  log: Logger;
}

/**
 * Pull a worker's gradients by the bulk stream if it offers one and the config allows it; where it does not answer there, by gRPC unless
 * the config insists.
 */
export function createWorkerPulls(
  { exchangeAddress, streamSecret }: Pick<Register__Output, 'exchangeAddress' | 'streamSecret'>,
  { transport, receiver, security, traffic, log }: PullParts,
): WorkerPulls {
  const by = transport !== 'grpc' && streamSecret.byteLength > 0 ? 'stream' : 'grpc';
  const client = createWorkerClient(exchangeAddress, security);
  const peer = { address: exchangeAddress, role: 'worker' as const, secret: streamSecret };
  const choose = createStreamChoice((reason) =>
    log.info({ event: 'no-stream', exchangeAddress, reason }, 'this worker’s gradients cross by gRPC'),
  );
  const count = (transport: 'stream' | 'grpc', source: GradientSource): GradientSource =>
    async function* (options) {
      for await (const piece of source(options)) {
        yield piece;
        traffic[transport] += piece.byteLength;
      }
    };
  return {
    by,
    peer,
    source(token) {
      const byGrpc = count('grpc', (options) => pulledPieces(client, token, options));
      if (by === 'grpc') return byGrpc;
      const byStream = count('stream', (options) => streamedPieces(receiver, peer, token, options));
      if (transport === 'stream') return byStream;
      return (options) =>
        choose(
          () => byStream(options),
          () => byGrpc(options),
        );
    },
    close() {
      if (by === 'stream') receiver.forget(exchangeAddress);
      client.close();
    },
  };
}
