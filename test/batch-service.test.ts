import { setTimeout as delay } from 'node:timers/promises';
import { connect, RequestError } from '@nats-io/transport-node';
import { describe, expect, test } from 'vitest';
import { findProgram } from '@fourfold/local-servers';
import { expectSameBatch, observeRequests, useBatchServices, type Client } from './support/batch-services.js';
import type { LogEvent, Process } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * Real data-loader processes, a real nats-server, and a worker's side of the wire in this process. When the nats-server itself is
 * away: nats-outages.test.ts.
 */

describe.skipIf(lacks('servers', !!findProgram('nats-server')))(
  'data-loaders over NATS (after npm run setup:servers)',
  () => {
    const { bed, nats, start, client, closeAtEnd, expectBatches } = useBatchServices();
    async function observer() {
      const made = await observeRequests(nats());
      closeAtEnd(() => made.connection.close());
      return made;
    }
    async function stop(loader: Process): Promise<LogEvent> {
      loader.child.kill('SIGTERM');
      expect(await loader.exit).toEqual({ code: 143, signal: null });
      return loader.waitFor(({ event }) => event === 'stopped', 'its stop');
    }
    /** Wait until a worker knows this many data-loaders. */
    const knows = ({ events }: Client, count: number) =>
      expect.poll(() => events.filter(({ event }) => event === 'loader-found').length).toBeGreaterThanOrEqual(count);

    /** On a busy machine nats-server sees a connection's end some time later; what it passes on until then is lost. */
    async function untilNobodyListens(subject: string): Promise<void> {
      const connection = await connect({ servers: nats().address });
      const ask = () =>
        connection.request(subject, '', { timeout: 1_000 }).then(
          () => false,
          (error: unknown) => error instanceof RequestError && error.isNoResponders(),
        );
      await expect.poll(ask).toBe(true);
      await connection.close();
    }

    test('two data-loaders give the batches of the dataset; a replica stays with one, which fetches no shard twice', async () => {
      await start();
      const loaders = await Promise.all([bed().startLoader(), bed().startLoader()]);
      const { requests } = await observer();
      const worker = await client();
      await knows(worker, 2);
      // An epoch.
      const iterations = Math.floor(bed().manifest.samples / 8);
      await expectBatches(worker, 0, iterations);
      const places = new Map<number, Set<string>>();
      for (const { replica, loader } of requests) places.set(replica, (places.get(replica) ?? new Set()).add(loader));
      expect([...places.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1]);
      expect(worker.source.stats()).toMatchObject({ received: 4 * iterations, moved: 0, late: 0, refusedReplies: 0 });
      let answered = 0;
      for (const loader of loaders) {
        const stopped = await stop(loader);
        answered += stopped['answered'] as number;
        // The next epoch's first batches are made ahead.
        expect(stopped['shards']).toBeLessThanOrEqual(bed().manifest.shards.length + 1);
      }
      expect(bed().manifest.shards.length).toBeGreaterThan(3);
      expect(answered).toBe(4 * iterations);
    });

    test('a frozen data-loader is late once; it is asked again after it has woken', async () => {
      await start();
      const loaders = await Promise.all([bed().startLoader(), bed().startLoader()]);
      const { requests } = await observer();
      const worker = await client({ batches: { ...bed().config.batches, lateMs: 8_000 } });
      await knows(worker, 2);
      await expectBatches(worker, 0, 1, [0]);
      const frozen = loaders.find(({ id }) => id === requests[0].loader) as Process & { id: string };
      frozen.child.kill('SIGSTOP');
      await expectBatches(worker, 1, 12, [0]);
      expect(worker.source.stats()).toMatchObject({ late: 1, moved: 1 });
      frozen.child.kill('SIGCONT');
      let iteration = 12;
      await expect
        .poll(
          async () => {
            await expectBatches(worker, iteration, ++iteration, [0]);
            return requests.at(-1)?.loader;
          },
          { interval: 500 },
        )
        .toBe(frozen.id);
    });

    test('a killed data-loader is left at once', async () => {
      await start();
      const loaders = await Promise.all([bed().startLoader(), bed().startLoader()]);
      const { connection, requests } = await observeRequests(nats());
      const worker = await client();
      await knows(worker, 2);
      await expectBatches(worker, 0, 2);
      const { subject } = requests.find(({ loader }) => loader === loaders[0].id) as { subject: string };
      // The observer would count as a recipient.
      await connection.close();
      loaders[0].child.kill('SIGKILL');
      await loaders[0].exit;
      await untilNobodyListens(subject);
      await expectBatches(worker, 2, 6);
      expect(worker.source.stats().late).toBe(0);
    });

    test('SIGTERM: pending requests are answered, later ones go to the other one', async () => {
      await start();
      const loaders = await Promise.all([bed().startLoader(), bed().startLoader()]);
      const { requests } = await observer();
      const worker = await client();
      await knows(worker, 2);
      const batches = Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          const [iteration, replica] = [Math.floor(i / 4), i % 4];
          expectSameBatch(await worker.source.batch(iteration, replica), await bed().local.batch(iteration, replica));
        }),
      );
      await expect.poll(() => requests.length).toBe(40);
      const leaving = loaders.find(({ id }) => id === requests[0].loader) as Process;
      const stopped = await stop(leaving);
      await batches;
      expect(stopped['answered']).toBe(stopped['requests']);
      expect(stopped['answered']).toBeGreaterThan(0);
      await expectBatches(worker, 10, 12);
      expect(worker.source.stats()).toMatchObject({ received: 48, late: 0, refusedReplies: 0 });
      expect(leaving.errors).toEqual(['fourfold: stopped by SIGTERM']);
    });

    test('requests beyond the queue’s limit are sent to another data-loader, and are answered in the end', async () => {
      await start();
      const loader = await bed().startLoader();
      const worker = await client();
      await Promise.all(
        Array.from({ length: 100 }, async (_, i) => {
          const [iteration, replica] = [Math.floor(i / 4), i % 4];
          expectSameBatch(await worker.source.batch(iteration, replica), await bed().local.batch(iteration, replica));
        }),
      );
      const stopped = await stop(loader);
      expect(stopped).toMatchObject({ answered: 100, failed: 0 });
      expect(stopped['busy']).toBeGreaterThan(0);
    });

    test('a max_payload of 64 KB: batches come in parts', async () => {
      await start('max_payload: 65536');
      await bed().startLoader();
      const worker = await client();
      await expectBatches(worker, 0, 4);
      expect(worker.source.stats()).toMatchObject({ received: 16, refusedReplies: 0 });
      // Two crops of 96x96 and their LR take 58,752 bytes; with eight there must be several parts.
      const large = { ...bed().config.data, globalBatch: 32 };
      await bed().startLoader(['data.globalBatch=32']);
      const other = await client({ data: large });
      const { count, hr } = await other.source.batch(0, 1);
      expect([count, hr.length]).toEqual([8, 8 * 96 * 96 * 3]);
    });

    test('a data-loader of another seed is never asked, and the wait says which exist', async () => {
      await start();
      await bed().startLoader(['seed=6']);
      const { requests } = await observer();
      const worker = await client();
      const batch = worker.source.batch(0, 0);
      await expect
        .poll(() => worker.events.find(({ event }) => event === 'batches-waiting'))
        .toMatchObject({
          iteration: 0,
          replica: 0,
          loaders: 0,
          foreign: 1,
          reason: expect.stringContaining('have a different dataset, seed') as string,
        });
      expect(requests).toEqual([]);
      await bed().startLoader();
      expectSameBatch(await batch, await bed().local.batch(0, 0));
    });

    test('a rogue that answers everybody’s requests with garbage is refused and counted', async () => {
      await start();
      const loaders = await Promise.all([bed().startLoader(), bed().startLoader()]);
      const worker = await client();
      await knows(worker, 2);
      const rogue = await connect({ servers: nats().address });
      closeAtEnd(() => rogue.close());
      const garbage = [
        Buffer.alloc(0),
        Buffer.from('FB\x01\x01'),
        Buffer.alloc(100_000, 'FB'),
        Buffer.from('{"code":"x"}'),
      ];
      rogue.subscribe('fourfold.>', {
        callback: (_, message) => garbage.forEach((bytes) => message.respond(bytes)),
      });
      // Malformed announcements.
      for (const bytes of garbage) rogue.publish('fourfold.batches.x.loaders', bytes);
      await rogue.flush();
      // The data-loaders' answers come after the garbage.
      for (const { child } of loaders) child.kill('SIGSTOP');
      const batches = expectBatches(worker, 0, 1);
      await expect.poll(() => worker.source.stats().refusedReplies).toBeGreaterThanOrEqual(4 * garbage.length);
      for (const { child } of loaders) child.kill('SIGCONT');
      await batches;
      await expectBatches(worker, 1, 3);
      const refused = worker.events.filter(({ event }) => event === 'reply-refused');
      expect(refused.map(({ reason }) => String(reason)).join('\n')).toContain('not an answer to a request');
    });

    test('a damaged shard ends the wait with its name', async () => {
      await start();
      const { file } = bed().manifest.shards[0];
      const whole = await bed().dataset.get(file);
      const damaged = Buffer.from(whole);
      damaged[damaged.length >> 1] ^= 1;
      await bed().dataset.put(file, damaged);
      try {
        await bed().startLoader();
        const worker = await client();
        const epoch = Array.from({ length: 20 }, (_, iteration) => worker.source.batch(iteration, 0));
        await expect(Promise.all(epoch)).rejects.toMatchObject({
          code: 'corrupt',
          message: expect.stringContaining(`${file} is damaged`) as string,
        });
        await Promise.allSettled(epoch);
      } finally {
        await bed().dataset.put(file, whole);
      }
    });

    test('closing ends waiting requests', async () => {
      await start();
      const worker = await bed().connectClient({ FOURFOLD_NATS_URL: `nats://${nats().address}` });
      const waiting = expect(worker.source.batch(0, 0)).rejects.toThrow('closed');
      await delay(200);
      await worker.source.close();
      await waiting;
    });
  },
);
