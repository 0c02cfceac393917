import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchBytes, fetchGenerator } from './fetched.js';
import { checkpointBytes, exportedBytes, vector } from './test-model.js';

const sha256 = createHash('sha256').update(checkpointBytes).digest('hex');
const manifest = (file: string, digest = sha256) => JSON.stringify({ files: { [file]: { sha256: digest } } });
const served: Record<string, string | Uint8Array> = {
  '/checkpoint/manifest.json': manifest('generator.safetensors'),
  '/checkpoint/generator.safetensors': checkpointBytes,
  '/average/manifest.json': manifest('generator-average.safetensors'),
  '/average/generator-average.safetensors': checkpointBytes,
  '/exported/generator.safetensors': exportedBytes,
  '/example/checkpoint/manifest.json': manifest('generator.safetensors'),
  '/example/checkpoint/generator.safetensors': checkpointBytes,
  '/guarded/generator.safetensors?token=t': checkpointBytes,
  '/damaged/manifest.json': manifest('generator.safetensors', '0'.repeat(64)),
  '/damaged/generator.safetensors': checkpointBytes,
};

let server: Server;
let origin: string;
beforeAll(async () => {
  server = createServer(({ url = '' }, response) => {
    // Sends nothing.
    if (url === '/silent') return;
    const body = served[url];
    response.writeHead(body !== undefined ? 200 : url.startsWith('/guarded') ? 403 : 404).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test.each([
  'checkpoint',
  'checkpoint/',
  'average',
  'exported',
  'exported/generator.safetensors',
  'example',
  'guarded?token=t',
])('a generator is read from %s', async (place) => {
  expect((await fetchGenerator(`${origin}/${place}`)).vector).toEqual(vector);
});

test.each([
  ['a damaged file', 'damaged', 'corrupt', 'damaged/generator.safetensors is damaged'],
  ['a missing folder', 'missing', 'not-found', 'missing/generator.safetensors: the server answered 404'],
])('%s is refused by name', async (_, place, code, message) => {
  await expect(fetchGenerator(`${origin}/${place}`)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message) as string,
  });
});

test('a silent server is given up', async () => {
  await expect(fetchBytes(`${origin}/silent`, undefined, { silentMs: 50 })).rejects.toMatchObject({
    code: 'unavailable',
    message: `${origin}/silent: the server sent nothing for 0.05 s`,
  });
});
