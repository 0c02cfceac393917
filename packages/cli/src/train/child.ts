import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readLeaving, type Leaving } from './leaving.js';

/** The command itself. */
export const cliPath = fileURLToPath(new URL('../../bin/fourfold.js', import.meta.url));

/** Messages of V8, libstdc++ and libtorch about a failed allocation. */
const noMemory = /heap out of memory|std::bad_alloc|not enough memory|out of memory|cannot allocate memory/i;
/** A shell's exit code for SIGKILL. */
const killedExitCode = 137;

/** Where the lines of all parts' logs go. */
export type LogFile = Pick<NodeJS.WritableStream, 'write'>;

/** A line of a part's log. */
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
  /** Why it ended, in its own words; missing if it could not say. */
  leaving?: Leaving;
  /** It was probably killed for lack of memory, or reported a failed allocation. */
  lackedMemory: boolean;
}

export interface Part {
  process: ChildProcess;
  exit: Promise<PartExit>;
}

/**
 * Start `fourfold ROLE ARGS` as a child process in its own group, so that a Ctrl-C in the terminal reaches only the parent,
 * with `environment` on top of this process's, and `input` on its standard input. Its log lines go to `logFile` and to `onLog`; it
 * stops when this process is gone.
 */
export function startPart(
  role: string,
  args: string[],
  { environment, input }: { environment: Record<string, string>; input?: string },
  logFile: LogFile,
  onLog: (line: LogLine) => void,
): Part {
  const child = spawn(process.execPath, [cliPath, role, ...args], {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe', 'ipc'],
    detached: true,
    env: { ...process.env, ...environment },
  });
  // A part that is gone before it has read its input is reported by its exit.
  child.stdin?.on('error', () => undefined).end(input);
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
