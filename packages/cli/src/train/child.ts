import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WriteStream } from 'node:fs';

const cliPath = fileURLToPath(new URL('../../bin/fourfold.js', import.meta.url));

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
  /** The last line that was no log line: the reason of a failure. */
  lastWords: string;
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
  let lastWords = '';
  const lines = createInterface({ input: child.stderr as NonNullable<typeof child.stderr> });
  lines.on('line', (line) => {
    logFile.write(`${line}\n`);
    const parsed = parseLogLine(line);
    if (parsed) onLog(parsed);
    else if (line.trim()) lastWords = line.replace(/^fourfold: /, '');
  });
  const closed = new Promise<void>((resolve) => lines.once('close', resolve));
  const exit = new Promise<PartExit>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => void closed.then(() => resolve({ code, signal, lastWords })));
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
