import { createWriteStream } from 'node:fs';
import { expect, test } from 'vitest';
import { startPart } from './child.js';

test('a part reports why it ends to the process that started it', async () => {
  const logFile = createWriteStream('/dev/null');
  const { exit } = startPart('worker', ['--config', '/nowhere/run.yaml'], {}, logFile, () => undefined);
  expect(await exit).toMatchObject({
    code: 2,
    leaving: { code: 'not-found', reason: expect.stringContaining('/nowhere/run.yaml') as string },
    lackedMemory: false,
  });
});
