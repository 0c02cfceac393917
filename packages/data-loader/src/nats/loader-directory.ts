import type { Logger } from '@fourfold/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { isLive, loadersInOrder, type KnownLoader } from './loader-choice.js';
import { batchProtocolVersion, parseAnnouncement, type BatchSubjects } from './protocol.js';

/** The data-loaders that a worker has heard of. */
export interface LoaderDirectory {
  /** Live ones, in the order in which they are asked for a replica. */
  inOrder(replica: number): string[];
  /** It has answered a request just now. */
  heard(loader: string): void;
  /** When it last answered a request; 0 for never. */
  heardMs(loader: string): number;
  /** Ask others first for a while. */
  avoid(loader: string): void;
  /** It is gone, until it announces itself again. */
  forget(loader: string): void;
  /** How many live ones there are, and how many that serve a run of this name from other batches. */
  counts(): { live: number; foreign: number };
}

const silentAnnouncements = 3;

/** Listen to announcements. `replicas`: of the run; `avoidMs`: how long others are preferred to one that was late. */
export function followLoaders(
  connection: NatsConnection,
  subjects: BatchSubjects,
  { replicas, announceMs, avoidMs, log }: { replicas: number; announceMs: number; avoidMs: number; log: Logger },
): LoaderDirectory {
  const silenceMs = silentAnnouncements * announceMs;
  const known = new Map<string, KnownLoader>();
  const foreign = new Map<string, KnownLoader>();
  const answers = new Map<string, number>();
  connection.subscribe(subjects.anyLoaders, {
    callback(error, message) {
      const announcement = error ? undefined : parseAnnouncement(message.data);
      if (!announcement) return;
      const { version, id, draining } = announcement;
      const ours = message.subject === subjects.loaders && version === batchProtocolVersion;
      const table = ours ? known : foreign;
      if (!table.has(id)) log.info({ event: ours ? 'loader-found' : 'loader-foreign', loader: id, version }, 'loader');
      forgetSilent(table);
      table.set(id, { id, draining, seenMs: performance.now(), avoidedUntilMs: table.get(id)?.avoidedUntilMs ?? 0 });
    },
  });
  const forgetSilent = (table: Map<string, KnownLoader>) => {
    const nowMs = performance.now();
    for (const { id, seenMs } of table.values()) {
      if (nowMs - seenMs <= Math.max(silenceMs, avoidMs)) continue;
      table.delete(id);
      answers.delete(id);
    }
  };
  const countLive = (table: Map<string, KnownLoader>) =>
    [...table.values()].filter((loader) => isLive(loader, performance.now(), silenceMs)).length;
  return {
    inOrder: (replica) => loadersInOrder([...known.values()], { replica, replicas }, performance.now(), silenceMs),
    heard: (loader) => void answers.set(loader, performance.now()),
    heardMs: (loader) => answers.get(loader) ?? 0,
    avoid(loader) {
      const found = known.get(loader);
      if (found) found.avoidedUntilMs = performance.now() + avoidMs;
    },
    forget: (loader) => void known.delete(loader),
    counts: () => ({ live: countLive(known), foreign: countLive(foreign) }),
  };
}
