import { FourfoldError, type Logger } from '@fourfold/common';
import { createInbox, type Msg } from '@nats-io/transport-node';
import type { Batch } from '../batch-source.js';
import { createBatchReceiver, type BatchReceiver, type Refusal } from './batch-message.js';
import type { NatsLink } from './connection.js';
import type { LoaderDirectory } from './loader-directory.js';
import { encodeMessage, type BatchPlace, type BatchSubjects } from './protocol.js';

/** Counts of a worker's requests for batches. */
export interface BatchRequestStats {
  /** Batches that came. */
  received: number;
  /** Bytes of all answers. */
  bytes: number;
  /** Requests that went to another data-loader than the one before. */
  moved: number;
  /** Requests to a data-loader that then answered nothing, neither this request nor another one, for `lateMs`. */
  late: number;
  /** Answers that were none, or none to the request. */
  refusedReplies: number;
}

export interface AskParts {
  link: NatsLink;
  directory: LoaderDirectory;
  subjects: BatchSubjects;
  /** What every batch must be. */
  shape: Pick<Batch, 'count' | 'crop'>;
  lateMs: number;
  stats: BatchRequestStats;
  log: Logger;
}

/** One request to one data-loader. Its answer counts whenever it comes. */
interface Attempt {
  loader: string;
  receiver: BatchReceiver;
  /** Nothing good is expected of it any more. */
  spent: boolean;
}

const pollMs = 100;
const longestPauseMs = 30_000;
/** Refusals that say something of the batch. The others say something of the data-loader. */
const finalCodes = new Set<Refusal['code']>(['invalid', 'not-found', 'corrupt']);

/**
 * Get a batch: ask the first data-loader of the replica's order, and the next one, too, when it is silent, gone or refuses; the
 * first whole answer counts. After the last the first is asked again, at growing intervals while requests are open, until one of
 * the signals is aborted. Throws a data-loader's `invalid`, `not-found` and `corrupt`.
 */
export function askLoaders(parts: AskParts, place: BatchPlace, signals: AbortSignal[]): Promise<Batch> {
  const { link, directory, subjects, shape, lateMs, stats, log } = parts;
  return new Promise<Batch>((resolve, reject) => {
    for (const signal of signals) signal.throwIfAborted();
    const inbox = createInbox();
    const attempts: Attempt[] = [];
    /** Asked since the order was begun. */
    const asked = new Set<string>();
    let rounds = 0;
    let pauseEndsMs = 0;
    let timer: NodeJS.Timeout | undefined;

    const finish = (act: () => void) => {
      clearTimeout(timer);
      stopListening();
      subscription.unsubscribe();
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
      act();
    };
    const fail = (error: Error) => finish(() => reject(error));
    const onAbort = () => fail(signals.find(({ aborted }) => aborted)?.reason as Error);

    const askNext = (): void => {
      clearTimeout(timer);
      const loader = link.whyDown() === undefined ? nextLoader() : undefined;
      if (loader === undefined) {
        timer = setTimeout(askNext, pollMs);
        return;
      }
      const previous = attempts.at(-1);
      if (previous && previous.loader !== loader) stats.moved++;
      const attempt: Attempt = { loader, receiver: createBatchReceiver(place, shape), spent: false };
      attempts.push(attempt);
      asked.add(loader);
      pauseEndsMs = 0;
      link.connection.publish(subjects.batchesOf(loader), encodeMessage(place), {
        reply: `${inbox}.${attempts.length - 1}`,
      });
      timer = setTimeout(() => onSilence(attempt), lateMs);
    };
    const nextLoader = (): string | undefined => {
      const loader = directory.inOrder(place.replica).find((id) => !asked.has(id));
      if (loader !== undefined || asked.size === 0) return loader;
      // All have been asked. Who works on it should not be asked at once again.
      const nowMs = performance.now();
      if (pauseEndsMs === 0) {
        const isOpen = attempts.some(({ spent }) => !spent);
        pauseEndsMs = nowMs + (isOpen ? Math.min(longestPauseMs, lateMs * 2 ** rounds++) : pollMs);
      }
      if (nowMs >= pauseEndsMs) beginAnew();
      return undefined;
    };
    const beginAnew = () => {
      asked.clear();
      pauseEndsMs = 0;
    };
    // If this process was itself held up or frozen, answers have come meanwhile that are only read now.
    const onSilence = (attempt: Attempt) => {
      timer = setTimeout(() => onLate(attempt), pollMs);
    };
    const onLate = (attempt: Attempt) => {
      const { loader } = attempt;
      // One that answers others of our requests is at work.
      const silentMs = performance.now() - directory.heardMs(loader);
      if (silentMs < lateMs) {
        timer = setTimeout(() => onSilence(attempt), lateMs - silentMs);
        return;
      }
      // While NATS is away nobody can answer.
      if (link.whyDown() === undefined) {
        stats.late++;
        directory.avoid(loader);
        log.debug({ event: 'loader-late', loader, ...place, lateMs }, 'a data-loader is late');
      }
      askNext();
    };
    /** Ask another one now if this attempt was the newest. */
    const give = (attempt: Attempt) => {
      if (attempt.spent) return;
      attempt.spent = true;
      if (attempt === attempts.at(-1)) askNext();
    };
    const receive = (attempt: Attempt, message: Msg): void => {
      const { loader, receiver } = attempt;
      if (hasNoResponders(message)) {
        directory.forget(loader);
        return give(attempt);
      }
      stats.bytes += message.data.length;
      try {
        const received = receiver.take(message.data);
        directory.heard(loader);
        if (!received) return;
        if ('refusal' in received) return onRefusal(attempt, received.refusal);
        stats.received++;
        finish(() => resolve(received.batch));
      } catch (error) {
        stats.refusedReplies++;
        if (attempt.spent) return;
        const reason = (error as Error).message;
        log.warn({ event: 'reply-refused', loader, ...place, reason }, 'an answer of a data-loader is refused');
        directory.avoid(loader);
        give(attempt);
      }
    };
    const onRefusal = (attempt: Attempt, { code, message, mend }: Refusal) => {
      if (finalCodes.has(code)) {
        return fail(new FourfoldError(code as FourfoldError['code'], message, { ...(mend && { mend }) }));
      }
      if (code !== 'busy') {
        log.warn({ event: 'loader-refuses', loader: attempt.loader, ...place, code, reason: message }, 'refused');
        directory.avoid(attempt.loader);
      }
      give(attempt);
    };

    const subscription = link.connection.subscribe(`${inbox}.*`, {
      callback(error, message) {
        // A subscription that NATS refuses is the link's failure.
        const attempt = error ? undefined : attempts[Number(message.subject.slice(inbox.length + 1))];
        if (attempt) receive(attempt, message);
      },
    });
    // Whatever was on its way is lost.
    const stopListening = link.onReconnect(() => {
      for (const attempt of attempts) attempt.spent = true;
      beginAnew();
      askNext();
    });
    for (const signal of signals) signal.addEventListener('abort', onAbort);
    askNext();
  });
}

const noResponders = 503;
const hasNoResponders = ({ data, headers }: Msg): boolean => data.length === 0 && headers?.code === noResponders;
