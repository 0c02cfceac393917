import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/*
 * A test that lacks something is skipped, except for what `.ci/run` has set up.
 */

const run = promisify(execFile);
const needs = new URL('support/needs.mjs', import.meta.url).href;

/** What `lacks` answers in a process where this was set up. */
async function ask(call: string, setUp: string): Promise<string> {
  const script = `import { lacks } from ${JSON.stringify(needs)}; console.log(lacks(${call}));`;
  const env = { ...process.env, FOURFOLD_SET_UP: setUp };
  return (await run(process.execPath, ['--input-type=module', '-e', script], { env })).stdout.trim();
}

test('what is found is not lacking, set up or not', async () => {
  expect(await ask("'torch', true", '')).toBe('false');
  expect(await ask("'torch', true", 'linux torch')).toBe('false');
});

test('a test is skipped that lacks what was not set up', async () => {
  expect(await ask("'torch', false, 'never set up'", '')).toBe('true');
  expect(await ask("'torch', false, 'never set up'", 'linux python-torch')).toBe('true');
});

test('a test fails that lacks what was set up, and says why it is not found', async () => {
  await expect(ask("'torch', false, 'its addon is gone'", 'linux torch')).rejects.toThrow(
    'torch was set up, but this test does not find it: its addon is gone',
  );
});
