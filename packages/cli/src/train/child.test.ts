import { createWriteStream } from 'node:fs';
import { expect, test } from 'vitest';
import { startPart } from './child.js';

test('a part reports why it ends to the process that started it', async () => {
  const logFile = createWriteStream('/dev/null');
  const { exit } = startPart(
    'worker',
    ['--config', '/nowhere/run.yaml'],
    { environment: {} },
    logFile,
    () => undefined,
  );
  expect(await exit).toMatchObject({
    code: 2,
    leaving: { code: 'not-found', reason: expect.stringContaining('/nowhere/run.yaml') as string },
    lackedMemory: false,
  });
});

test('a part reads its config from standard input', async () => {
  const logFile = createWriteStream('/dev/null');
  const part = { environment: {}, input: 'name: BAD\ndataset: ds\n' };
  const { exit } = startPart('worker', ['--config', '-'], part, logFile, () => undefined);
  expect(await exit).toMatchObject({ leaving: { reason: expect.stringContaining('name is "BAD"') as string } });
});
