import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, vi } from 'vitest';

/** A bash in which a reader of a page would type: what one command exports or leaves in the background is there for the next. */
export interface Shell {
  /** Run a command to its end. */
  run(command: string): Promise<{ code: number; output: string }>;
  /** Start a command that does not end, and press Ctrl-C when its output matches. Resolves with the output when it has ended. */
  interrupt(command: string, when: RegExp): Promise<{ code: number; output: string }>;
  /** End the shell and what it left in the background. */
  close(): Promise<void>;
}

export interface ShellOptions {
  /** Where it begins. */
  cwd: string;
  environment: NodeJS.ProcessEnv;
  /** For the commands' texts and outputs: an own folder. */
  folder: string;
  /** How long a command may take. */
  patience: { timeout: number; interval: number };
}

/** Start a shell. */
export async function startShell({ cwd, environment, folder, patience }: ShellOptions): Promise<Shell> {
  await mkdir(folder, { recursive: true });
  const bash = spawn('bash', ['--noprofile', '--norc'], {
    ...{ cwd, env: environment },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exit = new Promise<void>((resolve) => bash.once('close', () => resolve()));
  const lines: string[] = [];
  createInterface({ input: bash.stdout }).on('line', (line) => lines.push(line));
  let count = 0;
  const answer = (text: string) => {
    bash.stdin.write(`${text}\n`);
    return vi.waitFor(() => {
      expect(bash.exitCode, 'the shell has ended').toBeNull();
      expect(lines, text).not.toEqual([]);
      return lines.shift() as string;
    }, patience);
  };
  /** A command as bash reads it from a file, and where its output goes. */
  const prepare = async (command: string) => {
    const [path, outputPath] = ['sh', 'log'].map((end) => join(folder, `${count}.${end}`));
    count += 1;
    await writeFile(path, `${command}\n`);
    return { line: `. '${path}' < /dev/null > '${outputPath}' 2>&1`, output: () => readFile(outputPath, 'utf8') };
  };
  // Jobs in the background get Ctrl-C, and end with the shell, however that ends.
  bash.stdin.write(`set -m; trap 'kill $(jobs -p)' EXIT\n`);
  return {
    async run(command) {
      const { line, output } = await prepare(command);
      const code = Number(await answer(`${line}; echo $?`));
      return { code, output: await output() };
    },
    async interrupt(command, when) {
      const { line, output } = await prepare(command);
      const pid = Number(await answer(`${line} & echo $!`));
      await vi.waitFor(async () => expect(await output()).toMatch(when), patience);
      process.kill(-pid, 'SIGINT');
      const code = Number(await answer(`wait ${pid}; echo $?`));
      return { code, output: await output() };
    },
    async close() {
      bash.stdin.end();
      await exit;
    },
  };
}
