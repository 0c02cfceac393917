import { NodeTransport, nodeResolveHost } from '@nats-io/transport-node/lib/node_transport.js';
import {
  NatsConnectionImpl,
  setTransportFactory,
  type ConnectionOptions,
  type NatsConnection,
} from '@nats-io/transport-node';
import { createGather } from './whole-messages.js';

/** A connection that carries long messages at little cost. */
export interface LongMessageConnection {
  connection: NatsConnection;
  /**
   * Publish a message that has room before and after it in its buffer: NATS's line and end of line are written there, so that the message
   * is not copied; one without room is. Resolves when the socket has taken it; until then the message must stay as it is. It is dropped if the
   * connection is lost: the client gives up a connection whose pings are not answered.
   */
  publishInPlace(this: void, subject: string, message: Uint8Array): Promise<void>;
}

/** The client's own transport, with messages put together before it parses them. Depends on the client's exact version. */
class LongMessageTransport extends NodeTransport {
  /** Whether the client has sent its first command. */
  hasBegun = false;

  override async *iterate(): AsyncIterableIterator<Uint8Array> {
    const gather = createGather();
    for await (const piece of super.iterate()) yield* gather(piece);
  }

  override send(frame: Uint8Array): void {
    super.send(frame);
    this.hasBegun = true;
  }
}

/** Connect as the client's `connect` does. */
export async function connectForLongMessages(options: ConnectionOptions): Promise<LongMessageConnection> {
  setTransportFactory({ factory: () => new LongMessageTransport(), dnsResolveFn: nodeResolveHost });
  const connection = (await NatsConnectionImpl.connect(options)) as NatsConnectionImpl;
  const transportNow = () => connection.protocol.transport as LongMessageTransport;
  let last = Promise.resolve();
  return {
    connection,
    publishInPlace(subject, message) {
      const transport = transportNow();
      // One after another: what waits in the socket would be copied.
      last = last.then(async () => {
        if (transport !== transportNow() || !transport.hasBegun) return;
        const command = withLine(subject, message);
        if (command) await transport._send(command).catch(() => undefined);
        else connection.publish(subject, message);
      });
      return last;
    },
  };
}

const endOfLine = Buffer.from('\r\n');

/** The protocol's command with this message, in the memory around the message; undefined if that is too small. */
function withLine(subject: string, message: Uint8Array): Uint8Array | undefined {
  const line = Buffer.from(`PUB ${subject} ${message.length}\r\n`);
  const begin = message.byteOffset - line.length;
  const sizeBytes = line.length + message.length + endOfLine.length;
  if (begin < 0 || begin + sizeBytes > message.buffer.byteLength) return undefined;
  const command = new Uint8Array(message.buffer, begin, sizeBytes);
  command.set(line);
  command.set(endOfLine, line.length + message.length);
  return command;
}
