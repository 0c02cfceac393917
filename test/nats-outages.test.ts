import { describe, expect, test } from 'vitest';
import { findProgram } from '@fourfold/local-servers';
import { useBatchServices } from './support/batch-services.js';
import { lacks } from './support/needs.mjs';

/*
 * A nats-server that goes away, between real data-loader processes and a worker's side of the wire in this process.
 */

describe.skipIf(lacks('servers', !!findProgram('nats-server')))(
  'batches while NATS is away (after npm run setup:servers)',
  () => {
    const { bed, nats, start, client, expectBatches } = useBatchServices();

    test('nats-server killed and started again: batches wait and come, and nobody is blamed', async () => {
      await start();
      await bed().startLoader();
      const worker = await client();
      await expectBatches(worker, 0, 2);
      await nats().kill();
      await expect.poll(() => worker.events.length).toBeGreaterThan(0);
      const waiting = expectBatches(worker, 2, 4);
      await expect
        .poll(() => worker.events.map(({ event }) => event))
        .toEqual(expect.arrayContaining(['nats-waiting', 'batches-waiting']));
      await nats().start();
      await waiting;
      expect(worker.events.some(({ event }) => event === 'nats-back')).toBe(true);
      expect(worker.source.stats()).toMatchObject({ late: 0, refusedReplies: 0 });
    });

    test('nats-server frozen: its silence is noticed, and batches come when it wakes', async () => {
      await start();
      await bed().startLoader();
      const worker = await client();
      await expectBatches(worker, 0, 1);
      await nats().freeze();
      const waiting = expectBatches(worker, 1, 3);
      await expect.poll(() => worker.events.find(({ event }) => event === 'nats-waiting')).toBeDefined();
      nats().thaw();
      await waiting;
    });

    test('healthy while it runs, ready while NATS is reachable', async () => {
      await start();
      const loader = await bed().startLoader([], ['--http', '127.0.0.1:0']);
      const { address } = await loader.waitFor(({ event }) => event === 'http', 'its HTTP server');
      const get = async (path: string) => {
        const response = await fetch(`http://${address as string}${path}`);
        return [response.status, (await response.text()).trim()];
      };
      expect([await get('/healthz'), await get('/readyz')]).toEqual([
        [200, 'ok'],
        [200, 'ok'],
      ]);
      await nats().kill();
      await expect.poll(() => get('/readyz')).toEqual([503, 'NATS cannot be reached: the connection is lost']);
      expect(await get('/healthz')).toEqual([200, 'ok']);
      await nats().start();
      await expect.poll(() => get('/readyz')).toEqual([200, 'ok']);
    });
  },
);
