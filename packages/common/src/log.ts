import { pino, type Logger } from 'pino';

export type { Logger };

const about: Record<string, unknown> = {};

/**
 * A logger for one process: JSON lines on stderr, so that stdout stays free for results. `FOURFOLD_LOG` sets the level
 * (`info` unless told).
 */
export function createLogger(role: string): Logger {
  return pino(
    {
      base: { role, pid: process.pid },
      level: process.env['FOURFOLD_LOG'] ?? 'info',
      // pino writes the line's own fields into it.
      mixin: () => ({ ...about }),
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/**
 * From now on every line of this process says so, whichever part of it logs: which run it works for, which worker it is. A
 * line's own fields go first.
 */
export function logAbout(fields: Readonly<Record<string, unknown>>): void {
  Object.assign(about, fields);
}
