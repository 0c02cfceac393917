import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDelayingProxy, type DelayingProxy } from './delaying-proxy.js';

/** Echoes what it receives. */
let echo: Server;
let proxy: DelayingProxy;

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = await startDelayingProxy(`127.0.0.1:${(echo.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await proxy.close();
  echo.close();
});

function connectProxy(): Socket {
  const [host, port] = proxy.address.split(':');
  return connect({ host, port: Number(port) });
}

/** Send `bytes` and read as many back. */
async function echoed(socket: Socket, bytes: Buffer): Promise<Buffer> {
  socket.write(bytes);
  const parts: Buffer[] = [];
  for (let size = 0; size < bytes.length;) {
    const [part] = (await once(socket, 'data')) as [Buffer];
    parts.push(part);
    size += part.length;
  }
  return Buffer.concat(parts);
}

test('a round trip takes at least the given time, and bytes arrive complete and in order', async () => {
  const socket = connectProxy();
  await echoed(socket, Buffer.from('connected'));
  proxy.setDelay(100);
  const beganMs = performance.now();
  expect((await echoed(socket, Buffer.from('hello'))).toString()).toBe('hello');
  // Timers may be a millisecond early, one in each direction.
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(98);
  proxy.setDelay(5);
  const many = Buffer.from(Uint32Array.from({ length: 1 << 20 }, (_, i) => i).buffer);
  expect((await echoed(socket, many)).equals(many)).toBe(true);
  socket.destroy();
});

test('while paused it keeps connections and bytes, and lets them through when it resumes', async () => {
  const socket = connectProxy();
  await echoed(socket, Buffer.from('connected'));
  proxy.pause();
  let isBack = false;
  const answer = echoed(socket, Buffer.from('waits')).then((bytes) => {
    isBack = true;
    return bytes.toString();
  });
  await delay(100);
  expect(isBack).toBe(false);
  proxy.resume();
  expect(await answer).toBe('waits');
  socket.destroy();
});

test('it breaks connections, and accepts new ones', async () => {
  const socket = connectProxy();
  await echoed(socket, Buffer.from('connected'));
  const broken = once(socket, 'error');
  proxy.dropAll();
  expect(await broken).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
  const next = connectProxy();
  expect((await echoed(next, Buffer.from('again'))).toString()).toBe('again');
  next.destroy();
});

test('the end of one direction passes while the other continues', async () => {
  const socket = connectProxy();
  const all: Buffer[] = [];
  socket.on('data', (bytes) => all.push(bytes));
  const ended = once(socket, 'end');
  socket.end('the last words');
  await ended;
  expect(Buffer.concat(all).toString()).toBe('the last words');
});
