import { setTimeout as delay } from 'node:timers/promises';
import type { LocalServer } from '../servers/index.js';

/** How long a killed server stays away, so that one sees how the run behaves without it. */
const awayMs = 3_000;
const lookMs = 250;

/**
 * Restart servers (by name) when they die, on the same ports with the same data, until `signal` aborts; `onStarted` is called
 * for each restart. Rejects with `unavailable` if one does not start.
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
      note(`${name} died; it is restarted in ${awayMs / 1000} s`);
      await delay(awayMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await server.start();
      onStarted(name, server.pid());
    }
  };
  await Promise.all(Object.keys(servers).map(keep));
}

export interface KeepOptions {
  /** Show a message to the user. */
  note: (text: string) => void;
  onStarted: (name: string, pid: number | undefined) => void;
  signal: AbortSignal;
}
