import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

const bootIdPath = '/proc/sys/kernel/random/boot_id';

/**
 * Which host this process runs on, by the host's own proof: all containers of a host have one kernel, and its boot id is the same for
 * them. Elsewhere it is the host's name. A hash, since it goes to peers.
 */
export function machineId(): string {
  return createHash('sha256').update(`fourfold machine ${proof()}`).digest('hex').slice(0, 32);
}

function proof(): string {
  try {
    return readFileSync(bootIdPath, 'utf8').trim();
  } catch {
    return hostname();
  }
}
