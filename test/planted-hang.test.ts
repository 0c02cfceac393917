import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

/*
 * In this product a hang is a bug, so a test that times out has failed: it does not get a second attempt.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'fourfold-planted-hang-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a hang planted in a lease is reported, and its test is not retried', async () => {
  const [attempts, reportPath] = [join(folder, 'attempts'), join(folder, 'report.json')];
  const config = 'test/support/planted-hang/vitest.config.mjs';
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  const args = ['run', '--config', config, '--root', '.', '--project', 'processes', ...reporters];
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], {
    cwd: root,
    env: { ...process.env, FOURFOLD_ATTEMPTS: attempts, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  expect(await once(child, 'close'), output).toEqual([1, null]);

  expect(await readFile(attempts, 'utf8')).toBe('attempt\n');
  expect(JSON.parse(await readFile(reportPath, 'utf8'))).toMatchObject({ numFailedTests: 1, numPassedTests: 0 });
  expect(output).toContain('Test timed out in 3000ms');
});
