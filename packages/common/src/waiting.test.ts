import { expect, test } from 'vitest';
import { unlessAborted } from './waiting.js';

const never = new Promise<never>(() => undefined);

test('a promise is awaited unless the signal is aborted, before or meanwhile', async () => {
  const stop = new AbortController();
  expect(await unlessAborted(Promise.resolve(1), stop.signal)).toBe(1);
  await expect(unlessAborted(Promise.reject(new Error('no')), stop.signal)).rejects.toThrow('no');
  const waiting = unlessAborted(never, stop.signal);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
  await expect(unlessAborted(never, stop.signal)).rejects.toThrow('stopped');
});
