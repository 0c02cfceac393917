/*
 * Preloaded into a process of a test (`freezeAt` in freeze.ts): it stops itself, as SIGSTOP does, as soon as it has logged an event. What
 * follows the event has not happened yet, however busy the machine is. A field that is an array stands for any of its values.
 */
import fs from 'node:fs';

/** @type {{ marker: string, event: Record<string, unknown> }[]} */
const freezes = JSON.parse(process.env.FOURFOLD_TEST_FREEZES ?? '[]');
const write = fs.writeSync;

fs.writeSync = (descriptor, data, ...rest) => {
  const written = write(descriptor, data, ...rest);
  if (typeof data === 'string' && data.startsWith('{"level"')) freezeAfter(data);
  return written;
};

/** @param {string} line */
function freezeAfter(line) {
  const said = JSON.parse(line);
  const isMet = ({ event }) => Object.entries(event).every(([name, value]) => [value].flat().includes(said[name]));
  for (const { marker } of freezes.filter(isMet)) if (isFirst(marker)) process.kill(process.pid, 'SIGSTOP');
}

/** Of all processes with these freezes, also of those that replace killed ones. @param {string} marker */
function isFirst(marker) {
  try {
    fs.closeSync(fs.openSync(marker, 'wx'));
    return true;
  } catch {
    return false;
  }
}
