import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy that makes the loopback interface behave like a slow, silent or broken network. */
export interface DelayingProxy {
  /** host:port to connect to. */
  address: string;
  /** From now on bytes take half of this in each direction. Bandwidth is not limited. */
  setDelay(roundTripMs: number): void;
  /** Break all connections, as a failing network does: both sides see a reset. */
  dropAll(): void;
  /** Keep connections and accept new ones, but hold all bytes back until `resume`. No byte is lost. */
  pause(): void;
  resume(): void;
  /** Break all connections and accept no more. */
  close(): Promise<void>;
}

/** Start a proxy to `target`, host:port, on a free port of the loopback interface. */
// eslint-disable-next-line max-lines-per-function -- a proxy’s life, from top to bottom
export async function startDelayingProxy(target: string, { roundTripMs = 0 } = {}): Promise<DelayingProxy> {
  const [host, port] = target.split(':');
  const sockets = new Set<Socket>();
  const pipes = new Set<{ flush: () => void }>();
  let delayMs = roundTripMs / 2;
  let isPaused = false;

  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
    // `carry` passes a break on to the other side.
    socket.on('error', () => undefined);
  };
  /** Carry bytes, and their end, from one socket to the other. */
  const carry = (from: Socket, to: Socket) => {
    const waiting: { dueMs: number; act: () => void }[] = [];
    let timer: NodeJS.Timeout | undefined;
    const pipe = {
      flush: () => {
        clearTimeout(timer);
        if (isPaused) return;
        const now = performance.now();
        while (waiting.length > 0 && waiting[0].dueMs <= now) waiting.shift()?.act();
        if (waiting.length > 0) timer = setTimeout(pipe.flush, waiting[0].dueMs - now);
      },
    };
    pipes.add(pipe);
    const later = (act: () => void) => {
      waiting.push({ dueMs: performance.now() + delayMs, act });
      if (waiting.length === 1 || delayMs === 0) pipe.flush();
    };
    to.on('drain', () => from.resume());
    from.on('data', (bytes) => {
      later(() => {
        if (!to.destroyed && !to.write(bytes)) from.pause();
      });
    });
    from.on('end', () => later(() => to.end()));
    from.once('close', () => {
      if (from.errored) to.destroy();
      pipes.delete(pipe);
    });
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host, port: Number(port), allowHalfOpen: true });
    track(client);
    track(upstream);
    carry(client, upstream);
    carry(upstream, client);
    client.once('close', () => upstream.destroySoon());
    upstream.once('close', () => client.destroySoon());
  });
  const dropAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    setDelay(ms) {
      delayMs = ms / 2;
    },
    dropAll,
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      for (const pipe of pipes) pipe.flush();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        dropAll();
      }),
  };
}
