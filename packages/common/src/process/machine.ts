import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { sha256 } from '../files/sha256.js';

const bootIdPath = '/proc/sys/kernel/random/boot_id';

/**
 * Identifies the host of this process. All containers of a host share a kernel, and so its boot id. On systems without one it is the
 * host's name. The id is hashed, since it is sent to peers.
 */
export function machineId(): string {
  return sha256(`fourfold machine ${proof()}`).slice(0, 32);
}

function proof(): string {
  try {
    return readFileSync(bootIdPath, 'utf8').trim();
  } catch {
    return hostname();
  }
}
