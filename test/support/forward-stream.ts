/** A stream of messages from a peer. */
interface Incoming<Message> {
  on(event: 'data', receive: (message: Message) => void): unknown;
  on(event: 'end', receive: () => void): unknown;
  on(event: 'error', receive: (error: Error) => void): unknown;
}

/** The answer to a call: a stream of messages. */
interface Outgoing<Message> {
  write(message: Message): unknown;
  end(): unknown;
  emit(event: 'error', error: Error): unknown;
}

/** Answer a call with a peer's stream, each message as `change` returns it. */
export function forwardStream<Message>(
  upstream: Incoming<Message>,
  call: Outgoing<Message>,
  change: (message: Message) => Message = (message) => message,
): void {
  upstream.on('data', (message) => call.write(change(message)));
  upstream.on('end', () => call.end());
  upstream.on('error', (error) => call.emit('error', error));
}
