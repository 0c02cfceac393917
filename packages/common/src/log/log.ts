import { createRequire } from 'node:module';
import type { Logger } from 'pino';

export type { Logger };

const require = createRequire(import.meta.url);
const about: Record<string, unknown> = {};

/**
 * A logger for one process: JSON lines on stderr, which leaves stdout for results. `FOURFOLD_LOG` sets the level (`info` by default).
 */
export function createLogger(role: string): Logger {
  // Loaded when a process logs: many commands do not.
  const { pino } = require('pino') as typeof import('pino');
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
