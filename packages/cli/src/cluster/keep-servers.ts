import { setTimeout as delay } from 'node:timers/promises';
import type { LocalServer } from '@fourfold/local-servers';

/** How long a server that was killed stays away, so that one sees what a run without it does. */
const awayMs = 3_000;
const lookMs = 250;

/**
 * Start servers, which are by name, again when they die, on the same ports with the same data, until `signal` aborts; `onStarted` hears of it. Rejects
 * with `unavailable` when one does not start.
 */
export async function keepServers(
  servers: Readonly<Record<string, Pick<LocalServer, 'pid' | 'start'>>>,
  { note, onStarted, signal }: KeepOptions,
): Promise<void> {
  const keep = async (name: string): Promise<void> => {
    const server = servers[name];
    while (!signal.aborted) {
      await delay(lookMs);
      if (server.pid() !== undefined || signal.aborted) continue;
      note(`${name}: it died; it is started again in ${awayMs / 1000} s`);
      await delay(awayMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await server.start();
      onStarted(name, server.pid());
    }
  };
  await Promise.all(Object.keys(servers).map(keep));
}

export interface KeepOptions {
  /** Say something to whoever looks on. */
  note: (text: string) => void;
  onStarted: (name: string, pid: number | undefined) => void;
  signal: AbortSignal;
}
