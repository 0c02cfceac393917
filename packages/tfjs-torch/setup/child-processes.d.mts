import type { ChildProcess, SpawnOptions } from 'node:child_process';

/** Start a program as `spawn` does, in its own process group, which ends with this process. */
export function startChild(program: string, args: readonly string[], options?: SpawnOptions): ChildProcess;

/** Run a program to its end; rejects only if it does not start. `output` is both streams interleaved. */
export function runChild(
  program: string,
  args: readonly string[],
  options?: SpawnOptions & { onLine?: (line: string) => void },
): Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string; output: string }>;

/** The signal that is ending this process, if any. */
export function endingSignal(): NodeJS.Signals | undefined;
