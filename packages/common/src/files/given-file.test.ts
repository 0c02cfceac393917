import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { readStandardInput } from './given-file.js';

test('standard input is read whole, up to a limit', async () => {
  const read = (limitBytes: number) => {
    const input = new PassThrough();
    input.write('abc');
    input.end('def');
    return readStandardInput(undefined, { input, limitBytes });
  };
  expect((await read(6)).toString()).toBe('abcdef');
  await expect(read(5)).rejects.toMatchObject({ code: 'invalid', message: /larger than 5 bytes/ });
});

test('a signal ends the wait for standard input', async () => {
  const controller = new AbortController();
  const reading = readStandardInput(controller.signal, { input: new PassThrough() });
  controller.abort(new Error('stopped'));
  await expect(reading).rejects.toThrow('stopped');
});
