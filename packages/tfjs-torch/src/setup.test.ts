import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../setup/setup-torch.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tfjs-torch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Nothing of these is found, nothing is compiled: what is set up already stays. */
const nowhere = join(folder, 'nowhere');

test.each([
  ['a folder without libtorch', ['--libtorch', nowhere], {}, `${nowhere} holds no libtorch`],
  ['LIBTORCH without libtorch', [], { LIBTORCH: nowhere }, `${nowhere} holds no libtorch`],
  ['no compiler', [], { CXX: nowhere }, `a C++ compiler is needed, and ${nowhere} does not run`],
  ['neither libtorch nor Python', [], { PYTHON: nowhere, LIBTORCH: undefined }, `and ${nowhere} does not run: install`],
  ['a version that is too old', ['--version', '2.3.1'], {}, '--version asks for libtorch 2.3.1, and 2.4.0 or later'],
  ['no version', ['--version', 'newest'], {}, '--version newest does not look like'],
  ['an unknown option', ['--fast'], {}, "Unknown option '--fast'; --help"],
])('set-up refuses on one line: %s', (_, args, environment, reason) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    // No libtorch of the cache folder, and a compiler that is there.
    env: { ...process.env, XDG_CACHE_HOME: folder, CXX: process.execPath, ...environment },
  });
  expect(stderr).toMatch(/^tfjs-torch: [^\n]*\n$/);
  expect(stderr).toContain(reason);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});
