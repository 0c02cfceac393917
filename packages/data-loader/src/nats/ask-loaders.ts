import { FourfoldError, growingPauseMs, judge, type Failure, type Logger } from '@fourfold/common';
import { createInbox, type Msg } from '@nats-io/transport-node';
import type { Batch } from '../batches/batch-source.js';
import { createBatchReceiver, type BatchReceiver, type Refusal } from './batch-message.js';
import type { NatsLink } from './connection.js';
import type { LoaderDirectory } from './loader-directory.js';
import { encodeMessage, type BatchPlace, type BatchSubjects } from './protocol.js';

/** Counts of a worker's requests for batches. */
export interface BatchRequestStats {
  /** Batches received. */
  received: number;
  /** Bytes of all answers. */
  bytes: number;
  /** Requests moved to another data-loader. */
  moved: number;
  /** Requests to a data-loader that then answered neither this nor any other request for `lateMs`. */
  late: number;
  /** Answers that were invalid, or not to the request. */
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
  /** How often a refusal has come, if that is worth a line in the log. */
  repeats: (name: string) => number | undefined;
  log: Logger;
}

/** One request to one data-loader. Its answer counts even if it is late. */
interface Attempt {
  loader: string;
  receiver: BatchReceiver;
  askedMs: number;
  /** No batch is expected from it any longer. */
  spent: boolean;
  wasRefused?: boolean;
}

const pollMs = 100;
const longestPauseMs = 30_000;
/** Between rounds in which all data-loaders refuse. */
const refusedPauses = { firstMs: 250, longestMs: longestPauseMs };
/** Refusals that may be about the batch rather than the machine. The others are about the data-loader. */
const batchCodes = ['invalid', 'not-found', 'corrupt'] as const;

/**
 * Get a batch: ask the first data-loader of the replica's order, and also the next one if it is silent, gone or refuses; the first
 * complete answer counts. After the last, the first is asked again, at growing intervals, until one of the signals is aborted.
 * Throws `invalid`, `not-found` and `corrupt` if data-loaders of two machines say so, or those of the only machine twice, and
 * `unavailable` if all of them keep refusing.
 */
export function askLoaders(parts: AskParts, place: BatchPlace, signals: AbortSignal[]): Promise<Batch> {
  const { link, directory, subjects, shape, lateMs, stats, repeats, log } = parts;
  return new Promise<Batch>((resolve, reject) => {
    for (const signal of signals) signal.throwIfAborted();
    const inbox = createInbox();
    const attempts: Attempt[] = [];
    /** Asked since the order was last begun. */
    const asked = new Set<string>();
    /** Refusals so far, and their machines; each attempt counts as a process of its own. */
    const refusals: Failure[] = [];
    let rounds = 0;
    let refusedRounds = 0;
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
      const receiver = createBatchReceiver(place, shape);
      const attempt: Attempt = { loader, receiver, askedMs: performance.now(), spent: false };
      attempts.push(attempt);
      asked.add(loader);
      link.connection.publish(subjects.batchesOf(loader), encodeMessage(place), {
        reply: `${inbox}.${attempts.length - 1}`,
      });
      timer = setTimeout(() => onSilence(attempt), lateMs);
    };
    const nextLoader = (): string | undefined => {
      const nowMs = performance.now();
      const unasked = directory.inOrder(place.replica).filter((id) => !asked.has(id));
      const free = unasked.find((id) => directory.restsUntilMs(id) <= nowMs);
      if (free !== undefined || asked.size === 0) return free;
      // All that are free have been asked. One that works on the batch should not be asked again at once.
      if (pauseEndsMs === 0) {
        const isOpen = attempts.some(({ spent }) => !spent);
        const openPauseMs = () => Math.min(longestPauseMs, lateMs * 2 ** rounds++);
        pauseEndsMs = nowMs + (isOpen ? openPauseMs() : growingPauseMs(++refusedRounds, refusedPauses));
      }
      if (nowMs >= pauseEndsMs) beginAnew();
      return undefined;
    };
    const beginAnew = () => {
      asked.clear();
      pauseEndsMs = 0;
    };
    // If this process itself was held up or frozen, answers that came meanwhile are read only now.
    const onSilence = (attempt: Attempt) => {
      timer = setTimeout(() => onLate(attempt), pollMs);
    };
    const onLate = (attempt: Attempt) => {
      const { loader } = attempt;
      // A data-loader that answers our other requests is working.
      const silentMs = performance.now() - directory.heardMs(loader);
      if (silentMs < lateMs) {
        timer = setTimeout(() => onSilence(attempt), lateMs - silentMs);
        return;
      }
      // While NATS is down, nobody can answer.
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
        directory.served(loader);
        finish(() => resolve(received.batch));
      } catch (error) {
        stats.refusedReplies++;
        if (attempt.spent) return;
        const reason = (error as Error).message;
        log.warn({ event: 'reply-refused', loader, ...place, reason }, 'an answer from a data-loader is refused');
        directory.avoid(loader);
        give(attempt);
      }
    };
    const onRefusal = (attempt: Attempt, { code, message, hint }: Refusal) => {
      const { loader } = attempt;
      if (code === 'busy') {
        directory.rest(loader);
        asked.delete(loader);
        return give(attempt);
      }
      const said = repeats(`${loader} ${message}`);
      if (said) log.warn({ event: 'loader-refuses', loader, ...place, code, reason: message, times: said }, 'refused');
      directory.avoid(loader);
      // A data-loader's own trouble may pass, and another may not have it.
      const seen = batchCodes.find((other) => other === code) ?? ('unavailable' as const);
      const machine = directory.machineOf(loader) ?? loader;
      const [begunMs, failedMs] = [attempt.askedMs, performance.now()];
      const failure = { code: seen, machine, process: attempts.indexOf(attempt), begunMs, failedMs };
      const times = 1 + attempts.filter((other) => other.loader === loader && other.wasRefused).length;
      attempt.wasRefused = true;
      const circumstances = { times, inARow: times, earlier: refusals, machines: directory.machines().add(machine) };
      if (judge(failure, circumstances) === 'the run') {
        return fail(new FourfoldError(seen, message, { ...(hint && { hint }) }));
      }
      refusals.push(failure);
      give(attempt);
    };

    const subscription = link.connection.subscribe(`${inbox}.*`, {
      callback(error, message) {
        // If NATS refuses the subscription, the link fails.
        const attempt = error ? undefined : attempts[Number(message.subject.slice(inbox.length + 1))];
        if (attempt) receive(attempt, message);
      },
    });
    // Messages in transit are lost.
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
