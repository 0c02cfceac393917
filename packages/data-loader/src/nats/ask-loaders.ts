import type { Logger } from '@fourfold/common';
import { createInbox, type Msg } from '@nats-io/transport-node';
import type { Batch } from '../batches/batch.js';
import { newAsking, transition, type AskEvent, type AskView, type Attempt } from './ask-states.js';
import { createBatchReceiver, type BatchReceiver, type Received, type Refusal } from './batch-message.js';
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

/** What ends a request. */
interface Ends {
  onBatch: (batch: Batch) => void;
  onFailed: (error: Error) => void;
}

/**
 * Get a batch: ask the first data-loader of the replica's order, and also the next one if it is silent, gone or refuses; the first
 * complete answer counts. After the last, the first is asked again, at growing intervals, until one of the signals is aborted.
 * Throws `invalid`, `not-found` and `corrupt` if data-loaders of two machines say so, or those of the only machine twice, and
 * `unavailable` if all of them keep refusing.
 */
export function askLoaders(parts: AskParts, place: BatchPlace, signals: AbortSignal[]): Promise<Batch> {
  return new Promise<Batch>((resolve, reject) => {
    for (const signal of signals) signal.throwIfAborted();
    const onAbort = () => end(() => reject(signals.find(({ aborted }) => aborted)?.reason as Error));
    const end = (settle: () => void) => {
      stop();
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
      settle();
    };
    const stop = startAsking(parts, place, {
      onBatch: (batch) => end(() => resolve(batch)),
      onFailed: (error) => end(() => reject(error)),
    });
    for (const signal of signals) signal.addEventListener('abort', onAbort);
  });
}

/** Carry out what `transition` decides. Returns a function that stops it. */
function startAsking(parts: AskParts, place: BatchPlace, { onBatch, onFailed }: Ends): () => void {
  const { link, directory, subjects, shape, lateMs, stats, log } = parts;
  const inbox = createInbox();
  const receivers: BatchReceiver[] = [];
  let asking = newAsking();
  let timer: NodeJS.Timeout | undefined;
  const view = (): AskView => ({
    ...directory,
    ...{ nowMs: performance.now(), isDown: link.whyDown() !== undefined, lateMs },
    inOrder: () => directory.inOrder(place.replica),
  });

  const advance = (event: AskEvent): void => {
    const step = transition(asking, event, view());
    asking = step.asking;
    if (step.late !== undefined) noteLate(step.late);
    if (step.isNew) send();
    clearTimeout(timer);
    if (asking.state.name === 'failed') onFailed(asking.state.error);
    else if (asking.state.name === 'choosing') advance({ type: 'due' });
    else timer = setTimeout(() => advance({ type: 'due' }), asking.state.dueMs - performance.now());
  };
  const noteLate = (loader: string) => {
    stats.late++;
    directory.avoid(loader);
    log.debug({ event: 'loader-late', loader, ...place, lateMs }, 'a data-loader is late');
  };
  const send = () => {
    const [newest, previous] = asking.attempts.toReversed();
    if (previous && previous.loader !== newest.loader) stats.moved++;
    const attempt = receivers.push(createBatchReceiver(place, shape)) - 1;
    const reply = `${inbox}.${attempt}`;
    link.connection.publish(subjects.batchesOf(newest.loader), encodeMessage(place), { reply });
  };

  const subscription = link.connection.subscribe(`${inbox}.*`, {
    callback(error, message) {
      // If NATS refuses the subscription, the link fails.
      const attempt = error ? NaN : Number(message.subject.slice(inbox.length + 1));
      if (!asking.attempts[attempt]) return;
      const answer = takeMessage(parts, place, asking.attempts[attempt], receivers[attempt], message);
      if (answer === 'unusable') advance({ type: 'unusable', attempt });
      else if (answer && 'refusal' in answer) advance({ type: 'refused', attempt, ...answer });
      else if (answer) onBatch(answer.batch);
    },
  });
  const stopListening = link.onReconnect(() => advance({ type: 'reconnected' }));
  advance({ type: 'due' });
  return () => {
    clearTimeout(timer);
    stopListening();
    subscription.unsubscribe();
  };
}

/** Add a message to an attempt's answer, and tell the directory, the counts and the log what it says about the data-loader. */
function takeMessage(
  parts: AskParts,
  place: BatchPlace,
  { loader, isSpent }: Attempt,
  receiver: BatchReceiver,
  message: Msg,
): Received | 'unusable' {
  const { directory, stats, log } = parts;
  if (hasNoResponders(message)) {
    directory.forget(loader);
    return 'unusable';
  }
  stats.bytes += message.data.length;
  try {
    const received = receiver.take(message.data);
    directory.heard(loader);
    if (received && 'refusal' in received) noteRefusal(parts, place, loader, received.refusal);
    if (received && 'batch' in received) {
      stats.received++;
      directory.served(loader);
    }
    return received;
  } catch (error) {
    stats.refusedReplies++;
    if (isSpent) return 'unusable';
    const reason = (error as Error).message;
    log.warn({ event: 'reply-refused', loader, ...place, reason }, 'an answer from a data-loader is refused');
    directory.avoid(loader);
    return 'unusable';
  }
}

/** Tell the directory of a refusal, and the log if it is worth a line. */
function noteRefusal({ directory, repeats, log }: AskParts, place: BatchPlace, loader: string, refusal: Refusal): void {
  const { code, message } = refusal;
  if (code === 'busy') return directory.rest(loader);
  const times = repeats(`${loader} ${message}`);
  if (times) log.warn({ event: 'loader-refuses', loader, ...place, code, reason: message, times }, 'refused');
  directory.avoid(loader);
}

const noResponders = 503;
const hasNoResponders = ({ data, headers }: Msg): boolean => data.length === 0 && headers?.code === noResponders;
