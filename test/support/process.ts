import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

export const cliPath = fileURLToPath(new URL('../../packages/cli/bin/fourfold.js', import.meta.url));
export const photographs = fileURLToPath(new URL('../../examples/photographs/', import.meta.url));

export interface LogEvent {
  event?: string;
  [field: string]: unknown;
}

/** A `fourfold` process whose log lines are events to wait for. */
export interface Process {
  child: ChildProcess;
  events: LogEvent[];
  /** Everything on stdout. */
  output: () => string;
  /** Lines on stderr that are not log lines. */
  errors: string[];
  /** What it has logged so far at the default level. */
  loggedBytes: () => number;
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** The first event, past or future, that meets the condition; rejects if the process ends without it. */
  waitFor(condition: (event: LogEvent) => boolean, what: string, timeoutMs?: number): Promise<LogEvent>;
}

/** The `exit` of a process that did what it was asked to. */
export const finished = { code: 0, signal: null };

/** Wait for the end of a process that must do what it was asked to; else the failure shows its last lines. */
export async function expectFinished({ exit, errors }: Pick<Process, 'exit' | 'errors'>): Promise<void> {
  expect(await exit, errors.join('\n')).toEqual(finished);
}

const pinoInfo = 30;
/** For an event that must come: long enough for a machine that is several times slower. */
const patienceMs = 150_000;
const running = new Set<ChildProcess>();

/**
 * Start `fourfold ARGS` with debug logs, through `wrapper`, a command that runs its last arguments, and with
 * `environment` added to this process's.
 */
export function startFourfold(
  args: string[],
  wrapper: string[] = [],
  environment: Record<string, string> = {},
): Process {
  const [command, ...rest] = [...wrapper, process.execPath, cliPath, ...args];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FOURFOLD_LOG: 'debug', ...environment },
  });
  running.add(child);
  const events: LogEvent[] = [];
  const errors: string[] = [];
  let loggedBytes = 0;
  const listeners = new Set<(event: LogEvent) => void>();
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    if (!line.startsWith('{')) return errors.push(line);
    const event = JSON.parse(line) as LogEvent;
    events.push(event);
    if (Number(event['level']) >= pinoInfo) loggedBytes += line.length + 1;
    for (const listener of listeners) listener(event);
  });
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return {
    child,
    events,
    errors,
    loggedBytes: () => loggedBytes,
    output: () => output,
    exit,
    waitFor(condition, what, timeoutMs = patienceMs) {
      const found = events.find(condition);
      if (found) return Promise.resolve(found);
      return new Promise((resolve, reject) => {
        const done = (act: () => void) => {
          clearTimeout(timer);
          listeners.delete(listener);
          act();
        };
        const listener = (event: LogEvent) => condition(event) && done(() => resolve(event));
        const fail = (why: string) => () =>
          done(() =>
            reject(
              new Error(`${what} did not come: ${why}\n${errors.join('\n')}\n${JSON.stringify(events.slice(-5))}`),
            ),
          );
        const timer = setTimeout(fail(`waited ${timeoutMs} ms`), timeoutMs);
        listeners.add(listener);
        void exit.then(fail('the process ended'));
      });
    },
  };
}

/** Run `fourfold ARGS` to its end. */
export async function fourfold(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { exit, output, errors } = startFourfold(args);
  const { code } = await exit;
  return { code, stdout: output(), stderr: errors.join('\n') };
}

/** Kill everything that a test left behind, including frozen processes. */
export async function killAll(): Promise<void> {
  const left = [...running];
  for (const child of left) child.kill('SIGKILL');
  await Promise.all(left.map((child) => new Promise((resolve) => child.once('close', resolve))));
}
