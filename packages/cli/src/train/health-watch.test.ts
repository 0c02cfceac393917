import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { answers, watchHealth } from './health-watch.js';

const timing = { firstMs: 1, everyMs: 1, answerMs: 1_000, failures: 3 };

test('a part is reported after several failures in a row; one answer makes up for those before', async () => {
  const said = [false, false, true, false, false, false];
  const asked: string[] = [];
  const ask = async (url: string) => {
    asked.push(url);
    return said[asked.length - 1];
  };
  await new Promise<void>((resolve) => watchHealth('http://part', resolve, timing, ask));
  expect(asked).toEqual(said.map(() => 'http://part'));
});

test('an answer is one of success, in time', async () => {
  const server = createServer(({ url }, response) => {
    if (url !== '/hangs') response.writeHead(url === '/well' ? 200 : 503).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const at = (path: string, ms: number) =>
    answers(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, ms);
  expect([await at('/well', 60_000), await at('/ill', 60_000), await at('/hangs', 10)]).toEqual([true, false, false]);
  server.close();
  server.closeAllConnections();
});
