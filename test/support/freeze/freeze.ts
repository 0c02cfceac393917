import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { LogEvent, Process } from '../process.js';

/*
 * Processes that freeze themselves at an event, so that a test acts at that moment of a run, and not some time after it.
 */

const hook = fileURLToPath(new URL('at-event.mjs', import.meta.url));

/**
 * The environment of processes of which the first freezes itself when it has logged an event with these fields, once for each of several
 * events. An array stands for any of its values. `folder` is the test's temporary folder.
 */
export const freezeAt = (folder: string, ...events: LogEvent[]): Record<string, string> => ({
  NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${hook}`.trim(),
  FOURFOLD_TEST_FREEZES: JSON.stringify(
    events.map((event) => ({ event, marker: join(folder, `frozen-${randomUUID()}`) })),
  ),
});

/** Wait until a process has logged an event and is frozen. */
export async function frozenAt(part: Process, event: LogEvent): Promise<LogEvent> {
  const said = await part.waitFor(hasFields(event), JSON.stringify(event));
  await expectFrozen(part.child.pid as number);
  return said;
}

/** Wait until any of several processes has logged an event and is frozen; returns that one. */
export const anyFrozenAt = (parts: readonly Process[], event: LogEvent): Promise<Process> =>
  Promise.any(parts.map((part) => frozenAt(part, event).then(() => part)));

export const hasFields =
  (fields: LogEvent) =>
  (event: LogEvent): boolean =>
    Object.entries(fields).every(([name, value]) => [value].flat().includes(event[name]));

/** A process writes its line a moment before it stops. */
export async function expectFrozen(pid: number): Promise<void> {
  if (process.platform !== 'linux') return void (await delay(500));
  // The name in parentheses may hold spaces; the state follows it.
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0]).toBe('T');
}

/** Let a frozen process go on. */
export const thaw = ({ child }: Process): void => void child.kill('SIGCONT');
