import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, FourfoldError, machineId, withDeadline, type Logger } from '@fourfold/common';
import type { Msg } from '@nats-io/transport-node';
import { createAsyncCache } from '../shards/async-cache.js';
import type { Batch } from '../batches/batch.js';
import type { BatchSource } from '../batches/batch-source.js';
import { encodeBatch, encodeRefusal, type Refusal } from './batch-message.js';
import type { NatsLink } from './connection.js';
import { batchProtocolVersion, encodeMessage, parseRequest, type BatchPlace, type BatchSubjects } from './protocol.js';
import { createWorkQueue } from './work-queue.js';

export interface BatchServiceOptions {
  link: NatsLink;
  subjects: BatchSubjects;
  source: Pick<BatchSource, 'batch' | 'reuse'>;
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
  const { link, subjects, announceMs } = options;
  const { connection } = link;
  const id = randomBytes(6).toString('hex');
  const machine = machineId();
  const stats = { requests: 0, answered: 0, busy: 0, failed: 0, bytes: 0 };
  const queue = createWorkQueue({ concurrency, longest: longestQueue });
  const { answer, prepare } = createAnswers(options, stats);
  let draining = false;

  const announce = () => {
    if (link.whyDown() !== undefined) return;
    connection.publish(subjects.loaders, encodeMessage({ version: batchProtocolVersion, id, draining, machine }));
  };
  const serve = async (message: Msg, place: BatchPlace) => {
    if (await answer(message, place)) queue.addSpare(() => prepare({ ...place, iteration: place.iteration + 1 }));
  };
  const subscription = connection.subscribe(subjects.batchesOf(id), {
    callback(error, message) {
      // If NATS refuses the subscription, the link fails.
      if (error) return;
      stats.requests++;
      const place = parseRequest(message.data);
      if (!place) return refuse(link, message, { code: 'mismatch', message: 'this is not a request for a batch' });
      if (queue.add(() => serve(message, place))) return;
      stats.busy++;
      refuse(link, message, { code: 'busy', message: `${longestQueue} requests are waiting` });
    },
  });
  announce();
  const announcing = setInterval(announce, announceMs);
  const stopListening = link.onReconnect(announce);

  return {
    id,
    stats: () => ({ ...stats, waiting: queue.unfinished() }),
    isDraining: () => draining,
    async drain() {
      draining = true;
      announce();
      queue.endSpare();
      const deadlineMs = performance.now() + drainMs;
      await withDeadline(subscription.drain(), drainMs, () => undefined).catch(() => undefined);
      while (queue.unfinished() > 0 && performance.now() < deadlineMs) await delay(10);
      clearInterval(announcing);
      stopListening();
      await withDeadline(connection.flush(), drainMs, () => undefined).catch(() => undefined);
    },
  };
}

/** Makes, keeps and sends batches. */
function createAnswers(
  { link, source, onMade, log }: BatchServiceOptions,
  stats: Pick<BatchServiceStats, 'answered' | 'failed' | 'bytes'>,
) {
  const { connection } = link;
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
    dispose: (batch) => source.reuse(batch),
  });
  const forgetStale = (iteration: number) =>
    batches.forgetWhere((key) => Math.abs(Number(key.split('.')[0]) - iteration) > keptIterations);
  const send = async ({ reply }: Msg, place: BatchPlace, batch: Batch): Promise<boolean> => {
    // Nobody waits for requests from before the connection broke.
    if (link.whyDown() !== undefined || !connection.info || !reply) return false;
    for (const part of encodeBatch(place, batch, connection.info.max_payload)) {
      await link.publishInPlace(reply, part);
      stats.bytes += part.length;
    }
    stats.answered++;
    return true;
  };
  return {
    /** Send the batch that a request names, or why there is none. Resolves with whether the batch was sent. */
    async answer(this: void, message: Msg, place: BatchPlace): Promise<boolean> {
      try {
        const isSent = await batches.use(keyOf(place), (batch) => send(message, place, batch));
        if (isSent) forgetStale(place.iteration);
        return isSent;
      } catch (error) {
        stats.failed++;
        log.error({ event: 'batch-failed', ...place, reason: describeError(error) }, 'a batch could not be made');
        refuse(link, message, refusalOf(error));
        return false;
      }
    },
    /** Make a batch before it is requested. A request for it reports its failure. */
    async prepare(this: void, place: BatchPlace): Promise<void> {
      await batches.get(keyOf(place)).catch(() => undefined);
    },
  };
}

function refuse(link: NatsLink, message: Msg, refusal: Refusal): void {
  if (link.whyDown() === undefined) message.respond(encodeRefusal(refusal));
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
