import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Ensures that a server does not outlive this process, however it ends. It kills the server and removes its temporary folder once its own
 * standard input closes, which the kernel does even for a killed process.
 */
export interface Guard {
  /** Set the process to kill; undefined while there is none. */
  watch(pid: number | undefined): void;
  /** Kill the watched process and remove the temporary folder now. */
  close(): Promise<void>;
}

const script = 'while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"; [ -z "$1" ] || rm -rf "$1"';

/** Create a guard for a server and its temporary folder, if any: a shell in its own session, which Ctrl-C does not reach. */
export function createGuard(temporaryFolder = ''): Guard {
  const shell = spawn('sh', ['-c', script, 'sh', temporaryFolder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const exit = once(shell, 'exit');
  shell.unref();
  return {
    watch(pid) {
      shell.stdin.write(`${pid ?? ''}\n`);
    },
    async close() {
      shell.ref();
      shell.stdin.end();
      await exit;
    },
  };
}
