import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Chunk__Output } from '../generated/fourfold/v1/Chunk.js';
import { createCoordinatorClient, createWorkerClient } from './client.js';
import { proxyOptions } from './proxy.js';
import { startServer, type RunningServer } from './server.js';
import { wire } from '../wire/wire.js';

/*
 * Channels between the parts of a run when the environment names an HTTP proxy.
 */

let server: RunningServer;
let proxy: Server;
/** Connections requested from the proxy. */
let proxied = 0;

beforeAll(async () => {
  server = await startServer('127.0.0.1:0');
  server.addService(wire.Coordinator.service, { PullParameters: (call: { end: () => void }) => call.end() });
  server.addService(wire.Worker.service, { PullGradient: (call: { end: () => void }) => call.end() });
  proxy = createServer((socket) => {
    proxied++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await server.close();
  await new Promise((resolve) => proxy.close(resolve));
});

const pulled = async (stream: AsyncIterable<Chunk__Output>) => {
  for await (const chunk of stream) expect(chunk).toBeUndefined();
};

test.each(['http_proxy', 'https_proxy', 'grpc_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'])(
  '%s is none of a channel’s business',
  async (variable) => {
    vi.stubEnv(variable, `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    for (const told of ['', '1']) {
      vi.stubEnv('FOURFOLD_GRPC_PROXY', told);
      const [coordinator, worker] = [
        createCoordinatorClient(server.address, 'bulk'),
        createWorkerClient(server.address),
      ];
      await pulled(coordinator.PullParameters({}));
      await pulled(worker.PullGradient({}));
      coordinator.close();
      worker.close();
    }
    expect(proxied).toBe(0);
  },
);

test('a proxy is used only on request, and only for other hosts', () => {
  const used = (host: string, told?: string) =>
    proxyOptions({ host, port: 7000 }, { FOURFOLD_GRPC_PROXY: told })['grpc.enable_http_proxy'];
  expect(used('coordinator.example')).toBe(0);
  expect(used('coordinator.example', '1')).toBe(1);
  expect(['localhost', '127.0.0.1', '::1'].map((host) => used(host, '1'))).toEqual([0, 0, 0]);
});
