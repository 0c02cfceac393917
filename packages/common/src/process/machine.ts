import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

const bootIdPath = '/proc/sys/kernel/random/boot_id';

/**
 * Identifies the host of this process. All containers of a host share a kernel, and so its boot id. On systems without one it is the
 * host's name. The id is hashed, since it is sent to peers.
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
