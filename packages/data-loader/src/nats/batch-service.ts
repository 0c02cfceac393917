import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, FourfoldError, machineId, withDeadline, type Logger } from '@fourfold/common';
import type { Msg } from '@nats-io/transport-node';
import { createAsyncCache } from '../shards/async-cache.js';
import type { BatchSource } from '../batches/batch-source.js';
import { encodeBatch, encodeRefusal, type Refusal } from './batch-message.js';
import type { NatsLink } from './connection.js';
import { batchProtocolVersion, encodeMessage, parseRequest, type BatchPlace, type BatchSubjects } from './protocol.js';

export interface BatchServiceOptions {
  link: NatsLink;
  subjects: BatchSubjects;
  source: Pick<BatchSource, 'batch'>;
  announceMs: number;
  /** Called with the seconds in which a batch was made. */
  onMade?: (seconds: number) => void;
  log: Logger;
}

export interface BatchServiceStats {
  /** Requests received. */
  requests: number;
  /** Of them, answered with a batch, with `busy`, and with an error. */
  answered: number;
  busy: number;
  failed: number;
  /** Bytes of batches sent. */
  bytes: number;
  /** Requests waiting or being answered. */
  waiting: number;
}

export interface BatchService {
  /** The name under which it announces itself. */
  id: string;
  stats(): BatchServiceStats;
  isDraining(): boolean;
  /** Accept no more requests, announce that, and answer those received; resolves then, or after ten seconds. */
  drain(): Promise<void>;
}

/** Batches made at the same time; decoding uses libuv's four threads. */
const concurrency = 4;
const longestQueue = 64;
/** Batches kept in case they are asked for again, or made ahead of a request. */
const keptBytes = 64 * 2 ** 20;
/** Iterations whose batches are kept, before and after the one asked for last. A straggler's second lease asks within a few. */
const keptIterations = 8;
const drainMs = 10_000;

/**
 * Announce a data-loader and answer requests: in their order, several at a time, with `busy` beyond the longest queue. While
 * there is nothing to answer, make the batch after each answered one.
 */
export function startBatchService(options: BatchServiceOptions): BatchService {
  const { link, subjects, source, announceMs, onMade, log } = options;
  const { connection } = link;
  const id = randomBytes(6).toString('hex');
  const machine = machineId();
  const stats = { requests: 0, answered: 0, busy: 0, failed: 0, bytes: 0 };
  const requests: (() => Promise<void>)[] = [];
  const ahead: (() => Promise<void>)[] = [];
  let working = 0;
  let draining = false;

  const keyOf = ({ iteration, replica }: BatchPlace) => `${iteration}.${replica}`;
  const batches = createAsyncCache({
    load: async (key) => {
      const [iteration, replica] = key.split('.').map(Number);
      const begunMs = performance.now();
      const batch = await source.batch(iteration, replica);
      onMade?.((performance.now() - begunMs) / 1000);
      return batch;
    },
    sizeOf: ({ hr, lr }) => hr.length + lr.length,
    limit: keptBytes,
  });

  const forgetStale = (iteration: number) =>
    batches.forgetWhere((key) => Math.abs(Number(key.split('.')[0]) - iteration) > keptIterations);

  const announce = () => {
    if (link.whyDown() !== undefined) return;
    connection.publish(subjects.loaders, encodeMessage({ version: batchProtocolVersion, id, draining, machine }));
  };
  const refuse = (message: Msg, refusal: Refusal) => {
    if (link.whyDown() === undefined) message.respond(encodeRefusal(refusal));
  };
  const answer = async (message: Msg, place: BatchPlace): Promise<void> => {
    try {
      const batch = await batches.get(keyOf(place));
      // Nobody waits for requests from before the connection broke.
      if (link.whyDown() !== undefined || !connection.info) return;
      for (const part of encodeBatch(place, batch, connection.info.max_payload)) {
        message.respond(part);
        stats.bytes += part.length;
      }
      stats.answered++;
      forgetStale(place.iteration);
      if (!draining) ahead.push(() => makeAhead({ ...place, iteration: place.iteration + 1 }));
      if (ahead.length > longestQueue) ahead.shift();
    } catch (error) {
      stats.failed++;
      log.error({ event: 'batch-failed', ...place, reason: describeError(error) }, 'a batch could not be made');
      refuse(message, refusalOf(error));
    }
  };
  const makeAhead = async (place: BatchPlace): Promise<void> => {
    // A request for it reports its failure.
    await batches.get(keyOf(place)).catch(() => undefined);
  };
  const work = (): void => {
    while (working < concurrency) {
      const job = requests.shift() ?? ahead.shift();
      if (!job) return;
      working++;
      void job().finally(() => {
        working--;
        work();
      });
    }
  };

  const subscription = connection.subscribe(subjects.batchesOf(id), {
    callback(error, message) {
      // If NATS refuses the subscription, the link fails.
      if (error) return;
      stats.requests++;
      const place = parseRequest(message.data);
      if (!place) return refuse(message, { code: 'mismatch', message: 'this is not a request for a batch' });
      if (requests.length >= longestQueue) {
        stats.busy++;
        return refuse(message, { code: 'busy', message: `${requests.length} requests are waiting` });
      }
      requests.push(() => answer(message, place));
      work();
    },
  });
  announce();
  const announcing = setInterval(announce, announceMs);
  const stopListening = link.onReconnect(announce);

  return {
    id,
    stats: () => ({ ...stats, waiting: requests.length + working }),
    isDraining: () => draining,
    async drain() {
      draining = true;
      announce();
      const deadlineMs = performance.now() + drainMs;
      await withDeadline(subscription.drain(), drainMs, () => undefined).catch(() => undefined);
      ahead.length = 0;
      while (requests.length + working > 0 && performance.now() < deadlineMs) await delay(10);
      clearInterval(announcing);
      stopListening();
      await withDeadline(connection.flush(), drainMs, () => undefined).catch(() => undefined);
    },
  };
}

function refusalOf(error: unknown): Refusal {
  const message = describeMessage(error);
  if (!(error instanceof FourfoldError)) return { code: 'failed', message };
  return { code: error.code, message, ...(error.options.hint && { hint: error.options.hint }) };
}

/** The error and its causes, without the hint, which a refusal carries separately. */
const describeMessage = (error: unknown): string =>
  error instanceof FourfoldError
    ? describeError(new Error(error.message, { cause: error.cause }))
    : describeError(error);
