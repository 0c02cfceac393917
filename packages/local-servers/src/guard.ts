import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Sees to it that nothing of a server outlives this process, however it ends: kills the server and removes its temporary
 * folder once its own standard input closes, which the kernel does for a process that was killed, too.
 */
export interface Guard {
  /** The process to kill; undefined while there is none. */
  watch(pid: number | undefined): void;
  /** Kill what is watched and remove the temporary folder, now. */
  close(): Promise<void>;
}

const script = 'while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"; [ -z "$1" ] || rm -rf "$1"';

/** A guard over a server and a temporary folder, where there is one: a shell in a session of its own, which a Ctrl-C does not reach. */
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
