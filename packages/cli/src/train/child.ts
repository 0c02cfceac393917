import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WriteStream } from 'node:fs';
import { readLeaving, type Leaving } from './leaving.js';

const cliPath = fileURLToPath(new URL('../../bin/fourfold.js', import.meta.url));

/** What V8, libstdc++ and libtorch say of an allocation that failed. */
const noMemory = /heap out of memory|std::bad_alloc|not enough memory|out of memory|cannot allocate memory/i;
/** What a shell makes of SIGKILL. */
const killedExitCode = 137;

/** What a part says in its log. */
export interface LogLine {
  level: number;
  role: string;
  event?: string;
  msg: string;
  reason?: string;
  [field: string]: unknown;
}

export interface PartExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why it ended, as it said itself; missing where it could not. */
  leaving?: Leaving;
  /** It was killed for want of memory, as far as can be told, or said that an allocation failed. */
  lackedMemory: boolean;
}

export interface Part {
  process: ChildProcess;
  exit: Promise<PartExit>;
}

/**
 * Start `fourfold ROLE ARGS` as a child process in a group of its own, so that a Ctrl-C in the terminal reaches the parent
 * alone, with `environment` on top of this process's. Its log lines go to `logFile` and to `onLog`; it stops by itself when
 * this process is gone.
 */
export function startPart(
  role: string,
  args: string[],
  environment: Record<string, string>,
  logFile: WriteStream,
  onLog: (line: LogLine) => void,
): Part {
  const child = spawn(process.execPath, [cliPath, role, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    detached: true,
    env: { ...process.env, ...environment },
  });
  let leaving: Leaving | undefined;
  child.on('message', (message) => (leaving = readLeaving(message) ?? leaving));
  let saidNoMemory = false;
  const lines = createInterface({ input: child.stderr as NonNullable<typeof child.stderr> });
  lines.on('line', (line) => {
    logFile.write(`${line}\n`);
    const parsed = parseLogLine(line);
    if (parsed) onLog(parsed);
    else saidNoMemory ||= noMemory.test(line);
  });
  const closed = new Promise<void>((resolve) => lines.once('close', resolve));
  const exit = new Promise<PartExit>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      const lackedMemory = () => saidNoMemory || signal === 'SIGKILL' || code === killedExitCode;
      void closed.then(() => resolve({ code, signal, leaving, lackedMemory: lackedMemory() }));
    });
  });
  return { process: child, exit };
}

function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}
