/*
 * Preloaded into a worker of a test (`unhurried` in unhurried.ts): it pauses whenever it has logged that it got a lease.
 */
import fs from 'node:fs';

const pauseMs = Number(process.env.FOURFOLD_TEST_PAUSE_MS);
const never = new Int32Array(new SharedArrayBuffer(4));
const write = fs.writeSync;

fs.writeSync = (descriptor, data, ...rest) => {
  const written = write(descriptor, data, ...rest);
  if (typeof data === 'string' && data.includes('"event":"lease"')) Atomics.wait(never, 0, 0, pauseMs);
  return written;
};
