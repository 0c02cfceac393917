import {
  createStreamChoice,
  parameterKinds,
  receiveVector,
  wireNetworks,
  type CoordinatorClient,
  type OnReached,
  type ParameterKind,
  type StreamPeer,
  type StreamReceiver,
  type Traffic,
} from '@fourfold/rpc';
import { copyBytes, type ExchangeConfig, type Logger } from '@fourfold/common';

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

/** Where parameters go. */
interface Place {
  /** In shared memory. */
  target: Uint8Array;
  /** The bytes before are there. By gRPC all come. */
  begin?: number;
  onReached?: OnReached;
}

/** Parameters pulled from a coordinator in its term: by the bulk stream if it offers one, and by gRPC where it does not answer there. */
export function createParameterPulls(parts: PullParts) {
  const { client, receiver, peer, term, transport, traffic, silenceMs, signal, log } = parts;
  const choose = createStreamChoice((reason) =>
    log.info({ event: 'no-stream', reason }, 'the coordinator’s parameters cross by gRPC'),
  );

  async function* byGrpc(kind: ParameterKind, version: number, { target, onReached }: Place): AsyncGenerator<void> {
    const { network, ...wanted } = parameterKinds[kind];
    const call = client.PullParameters({ term, network: wireNetworks[network], version, ...wanted });
    const options = { begin: 0, byteLength: target.byteLength, silenceMs, signal };
    for await (const { begin, bytes } of receiveVector(call, options)) {
      copyBytes(bytes, target.subarray(begin));
      traffic.grpc += bytes.byteLength;
      onReached?.(begin + bytes.byteLength);
      yield;
    }
  }

  async function* byStream(
    kind: ParameterKind,
    version: number,
    { target, begin = 0, onReached }: Place,
  ): AsyncGenerator<void> {
    const request = { kind, term, number: version, begin };
    await receiver.receiveInto(peer, request, target, { silenceMs, signal }, onReached);
    traffic.stream += target.byteLength - begin;
    yield;
  }

  return {
    /** Fill a place with parameters. */
    async pull(kind: ParameterKind, version: number, place: Place): Promise<void> {
      const [stream, grpc] = [() => byStream(kind, version, place), () => byGrpc(kind, version, place)];
      const canStream = peer.secret.byteLength > 0;
      const way = !canStream ? grpc() : transport === 'stream' ? stream() : choose(stream, grpc);
      while (!(await way.next()).done);
    },
    close: () => receiver.forget(peer.address),
  };
}
