import { growingPauseMs, type Logger } from '@fourfold/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { isLive, loadersInOrder, type KnownLoader } from './loader-choice.js';
import { batchProtocolVersion, parseAnnouncement, type BatchSubjects } from './protocol.js';

/** The data-loaders that a worker has heard of. */
export interface LoaderDirectory {
  /** Live ones, in the order in which they are asked for a replica. */
  inOrder(replica: number): string[];
  /** It has just answered a request. */
  heard(loader: string): void;
  /** When it last answered a request; 0 for never. */
  heardMs(loader: string): number;
  /** Ask others first, for longer each time. */
  avoid(loader: string): void;
  /** It has too many requests: do not ask it for a while, longer each time. */
  rest(loader: string): void;
  /** When it may be asked again. */
  restsUntilMs(loader: string): number;
  /** It has made a batch: its trouble is over. */
  served(loader: string): void;
  /** Its host; undefined if it is no longer known. */
  machineOf(loader: string): string | undefined;
  /** The hosts of the live ones. */
  machines(): Set<string>;
  /** It is gone, until it announces itself again. */
  forget(loader: string): void;
  /** Numbers of live ones, and of those that serve other batches to a run of this name. */
  counts(): { live: number; foreign: number };
}

const silentAnnouncements = 3;
const busyPauses = { firstMs: 100, longestMs: 5_000 };
const longestAvoidMs = 600_000;

/** Failures of a data-loader in a row. */
interface Trouble {
  avoided: number;
  busy: number;
  restsUntilMs: number;
}

/** The trouble of each data-loader. */
function createTroubles() {
  const troubles = new Map<string, Trouble>();
  return {
    of(loader: string): Trouble {
      const found = troubles.get(loader) ?? { avoided: 0, busy: 0, restsUntilMs: 0 };
      troubles.set(loader, found);
      return found;
    },
    restsUntilMs: (loader: string) => troubles.get(loader)?.restsUntilMs ?? 0,
    delete: (loader: string) => troubles.delete(loader),
  };
}

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
  const troubles = createTroubles();
  connection.subscribe(subjects.anyLoaders, {
    callback(error, message) {
      const announcement = error ? undefined : parseAnnouncement(message.data);
      if (!announcement) return;
      const { version, id, draining, machine } = announcement;
      const ours = message.subject === subjects.loaders && version === batchProtocolVersion;
      const table = ours ? known : foreign;
      if (!table.has(id)) log.info({ event: ours ? 'loader-found' : 'loader-foreign', loader: id, version }, 'loader');
      forgetSilent(table);
      const avoidedUntilMs = table.get(id)?.avoidedUntilMs ?? 0;
      table.set(id, { id, draining, machine, seenMs: performance.now(), avoidedUntilMs });
    },
  });
  const forgetSilent = (table: Map<string, KnownLoader>) => {
    const nowMs = performance.now();
    for (const { id, seenMs } of table.values()) {
      if (nowMs - seenMs <= Math.max(silenceMs, avoidMs)) continue;
      table.delete(id);
      answers.delete(id);
      troubles.delete(id);
    }
  };
  const live = (table: Map<string, KnownLoader>) =>
    [...table.values()].filter((loader) => isLive(loader, performance.now(), silenceMs));
  return {
    inOrder: (replica) => loadersInOrder([...known.values()], { replica, replicas }, performance.now(), silenceMs),
    heard: (loader) => void answers.set(loader, performance.now()),
    heardMs: (loader) => answers.get(loader) ?? 0,
    avoid(loader) {
      const found = known.get(loader);
      if (!found) return;
      const pauses = { firstMs: avoidMs, longestMs: Math.max(avoidMs, longestAvoidMs) };
      found.avoidedUntilMs = performance.now() + growingPauseMs(++troubles.of(loader).avoided, pauses);
    },
    rest(loader) {
      const trouble = troubles.of(loader);
      // Requests sent together are refused together, which counts once.
      if (trouble.restsUntilMs > performance.now()) return;
      trouble.restsUntilMs = performance.now() + growingPauseMs(++trouble.busy, busyPauses);
    },
    restsUntilMs: troubles.restsUntilMs,
    served: (loader) => void troubles.delete(loader),
    machineOf: (loader) => known.get(loader)?.machine,
    machines: () => new Set(live(known).map(({ machine }) => machine)),
    forget: (loader) => void known.delete(loader),
    counts: () => ({ live: live(known).length, foreign: live(foreign).length }),
  };
}
