import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/*
 * What npm would publish: publint and "are the types wrong?" find nothing, and no file is there for development only.
 */

test('npm run check:packages finds nothing', { timeout: 600_000 }, () => {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, ['scripts/check-packages.mjs'], { cwd, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
