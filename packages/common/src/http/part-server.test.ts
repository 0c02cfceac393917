import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import { endWith } from './http-server.js';
import { createMetrics } from './metrics.js';
import { openPartServer } from './part-server.js';

const log = { info: vi.fn(), warn: vi.fn() };
const content = {
  metrics: createMetrics('test'),
  whyNotReady: () => undefined,
  routes: { '/page': (_: unknown, response: Parameters<typeof endWith>[0]) => endWith(response, 200, 'the page') },
};

async function freeAddress(): Promise<string> {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

test('a request to a part that starts waits for its content', async () => {
  const address = await freeAddress();
  const server = await openPartServer(address, log);
  const page = fetch(`http://${address}/page`);
  const nothing = fetch(`http://${address}/nothing`);
  expect((await fetch(`http://${address}/readyz`)).status).toBe(503);
  server.show(content);
  expect(await (await page).text()).toBe('the page\n');
  expect((await nothing).status).toBe(404);
  await server.close();
});

test('a part that takes long to start says so', async () => {
  const address = await freeAddress();
  const server = await openPartServer(address, log, 50);
  const response = await fetch(`http://${address}/page`);
  expect([response.status, await response.text()]).toEqual([503, 'starting\n']);
  await server.close();
});
