import { expect, test } from 'vitest';
import { startHttpServer } from './http-server.js';

const start = (listen: string) =>
  startHttpServer({ listen, whyNotReady: () => undefined, routes: {}, onError: () => undefined });

test.each(['localhost', '8090', ':8090', '127.0.0.1:http', '127.0.0.1:70000'])(
  '%j is nowhere to listen',
  async (listen) => {
    await expect(start(listen)).rejects.toMatchObject({
      code: 'invalid',
      message: `${listen} is not a host:port to listen on`,
    });
  },
);

test('a port that is taken is reported', async () => {
  const server = await start('localhost:0');
  await expect(start(server.address)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await (await fetch(`http://${server.address}/healthz`)).text()).toBe('ok\n');
  await server.close();
});
