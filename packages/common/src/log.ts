import { pino, type Logger } from 'pino';

export type { Logger };

/**
 * A logger for one process: JSON lines on stderr, so that stdout stays free for results. `FOURFOLD_LOG` sets the level
 * (`info` unless told).
 */
export function createLogger(role: string): Logger {
  return pino(
    { base: { role, pid: process.pid }, level: process.env['FOURFOLD_LOG'] ?? 'info' },
    pino.destination({ dest: 2, sync: true }),
  );
}
