import {
  createStreamChoice,
  parameterKinds,
  receiveVector,
  wireNetworks,
  type CoordinatorClient,
  type ParameterKind,
  type StreamPeer,
  type StreamReceiver,
  type Traffic,
} from '@fourfold/rpc';
import type { ExchangeConfig, Logger } from '@fourfold/common';

interface PullParts {
  client: CoordinatorClient;
  receiver: StreamReceiver;
  /** The coordinator; without a secret it sends no parameters by the bulk stream. */
  peer: StreamPeer;
  term: number;
  transport: ExchangeConfig['transport'];
  traffic: Traffic['parameters'];
  silenceMs: number;
  signal: AbortSignal;
  log: Logger;
}

/** Parameters pulled from a coordinator in its term: by the bulk stream if it offers one, and by gRPC where it does not answer there. */
export function createParameterPulls(parts: PullParts) {
  const { client, receiver, peer, term, transport, traffic, silenceMs, signal, log } = parts;
  const choose = createStreamChoice((reason) =>
    log.info({ event: 'no-stream', reason }, 'the coordinator’s parameters cross by gRPC'),
  );

  async function* byGrpc(kind: ParameterKind, version: number, target: Uint8Array): AsyncGenerator<void> {
    const { network, ...wanted } = parameterKinds[kind];
    const call = client.PullParameters({ term, network: wireNetworks[network], version, ...wanted });
    const options = { begin: 0, byteLength: target.byteLength, silenceMs, signal };
    for await (const { begin, bytes } of receiveVector(call, options)) {
      target.set(bytes, begin);
      traffic.grpc += bytes.byteLength;
      yield;
    }
  }

  async function* byStream(kind: ParameterKind, version: number, target: Uint8Array): AsyncGenerator<void> {
    await receiver.receiveInto(peer, { kind, term, number: version, begin: 0 }, target, { silenceMs, signal });
    traffic.stream += target.byteLength;
    yield;
  }

  return {
    /** Fill `target`, which is in shared memory, with parameters. */
    async pull(kind: ParameterKind, version: number, target: Uint8Array): Promise<void> {
      const [stream, grpc] = [() => byStream(kind, version, target), () => byGrpc(kind, version, target)];
      const canStream = peer.secret.byteLength > 0;
      const way = !canStream ? grpc() : transport === 'stream' ? stream() : choose(stream, grpc);
      while (!(await way.next()).done);
    },
    close: () => receiver.forget(peer.address),
  };
}
