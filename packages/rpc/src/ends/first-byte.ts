import type { Socket } from 'node:net';
import { isStreamByte } from '../stream/frame.js';

/** Who takes a connection, by its protocol. */
export interface Takers {
  grpc(socket: Socket): void;
  /** `first` was read from the connection already. */
  stream(socket: Socket, first?: Uint8Array): void;
}

/** Without TLS the first byte says which protocol a caller speaks. One that says nothing for `patienceMs` is cut off. */
export function sortByFirstByte(socket: Socket, takers: Takers, patienceMs: number): void {
  const late = setTimeout(() => socket.destroy(), patienceMs);
  const onError = () => undefined;
  socket.on('error', onError);
  socket.once('close', () => clearTimeout(late));
  socket.once('readable', () => {
    clearTimeout(late);
    const first = socket.read() as Buffer | null;
    if (!first) return void socket.destroy();
    socket.off('error', onError);
    if (isStreamByte(first[0])) return takers.stream(socket, first);
    socket.unshift(first);
    takers.grpc(socket);
  });
}
