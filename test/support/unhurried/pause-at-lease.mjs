/*
 * Preloaded into a part of a test (unhurried.ts): a worker pauses whenever it has logged that it got a lease, other parts never.
 */
import fs from 'node:fs';

const pauseMs = Number(process.env.FOURFOLD_TEST_PAUSE_MS);
const never = new Int32Array(new SharedArrayBuffer(4));
const write = fs.writeSync;

fs.writeSync = (descriptor, data, ...rest) => {
  const written = write(descriptor, data, ...rest);
  const isLease = typeof data === 'string' && data.includes('"role":"worker"') && data.includes('"event":"lease"');
  if (isLease) Atomics.wait(never, 0, 0, pauseMs);
  return written;
};
