import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Commands that run their last arguments as on another machine, for `startFourfold`'s wrapper. They need root, like all
 * tests with mount namespaces. The process keeps its number, so that signals reach it.
 */

/** On a machine of its own: the kernel reports another boot id. `folder` holds it for the process's life. */
export function otherMachine(folder: string, ...mounts: string[]): string[] {
  const bootId = join(folder, `boot-id-${randomUUID()}`);
  writeFileSync(bootId, `${randomUUID()}\n`);
  return inMounts(`mount --bind ${bootId} /proc/sys/kernel/random/boot_id`, ...mounts);
}

/** A disk of `sizeKib` KiB at `path`, an existing folder; an argument of `otherMachine`. */
export const smallDisk = (path: string, sizeKib: number): string => `mount -t tmpfs -o size=${sizeKib}k tmpfs ${path}`;

const inMounts = (...commands: string[]): string[] => [
  ...['unshare', '--mount', '--propagation', 'private'],
  ...['sh', '-c', [...commands, 'exec "$@"'].join(' && '), 'sh'],
];
