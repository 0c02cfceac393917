import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ObjectStore } from '../types.js';
import { createS3Connection } from './connection.js';
import { createS3Store } from './s3-store.js';
import { readS3Settings } from './settings.js';

/** A service that is busy until it is not. */
let service: Server;
let isBusy: boolean;
let store: ObjectStore;
beforeEach(async () => {
  isBusy = true;
  service = createServer((request, response) => {
    request.resume().on('end', () => {
      response.statusCode = isBusy ? 503 : 200;
      response.setHeader('etag', '"a"').end();
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const environment = {
    ...{ FOURFOLD_S3_ENDPOINT: endpoint, FOURFOLD_S3_PATIENCE_MS: '60000' },
    ...{ FOURFOLD_S3_ACCESS_KEY: 'an-access-key', FOURFOLD_S3_SECRET_KEY: 'a-secret-key' },
  };
  store = createS3Store(createS3Connection(readS3Settings(environment), environment), 'bucket', '');
});
afterEach(() => {
  service.closeAllConnections();
  service.close();
});

test('a put with less patience than the store fails early, and the store keeps its own patience', async () => {
  const begunMs = performance.now();
  await expect(store.put('a', 'x', { patienceMs: 200 })).rejects.toMatchObject({ code: 'unavailable' });
  expect(performance.now() - begunMs).toBeLessThan(10_000);
  const put = store.put('a', 'x');
  setTimeout(() => (isBusy = false), 300);
  await put;
});
