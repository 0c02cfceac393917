import { pino, type Logger } from 'pino';

export type { Logger };

const about: Record<string, unknown> = {};

/**
 * A logger for one process: JSON lines on stderr, which leaves stdout for results. `FOURFOLD_LOG` sets the level (`info` by default).
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
 * Add fields to every later log line of this process, such as its run or its worker number. A line's own fields take precedence.
 */
export function logAbout(fields: Readonly<Record<string, unknown>>): void {
  Object.assign(about, fields);
}
