import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Command lines of the processes that work in a folder or name it in an argument. */
export const processesOf = (folder: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(folder) || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) ? line : '';
      } catch {
        // It has ended meanwhile.
        return '';
      }
    })
    .filter((line) => line !== '');
