import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

/*
 * `.ci/run` fails when a set-up fails that this kind of machine can do. Here npm, Node.js and the compilers are stand-ins.
 */

const script = fileURLToPath(new URL('../.ci/run', import.meta.url));
let bin: string;

beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), 'fourfold-ci-'));
  for (const program of ['bash', 'dirname', 'rm', 'uname']) {
    await symlink(execFileSync('which', [program], { encoding: 'utf8' }).trim(), join(bin, program));
  }
});
afterEach(() => rm(bin, { recursive: true, force: true }));

/** Run `.ci/run` where one npm script fails; returns its exit code, its output and what it told the tests, if they ran. */
async function ci(failing: string, programs: string[]) {
  const told = join(bin, 'told');
  const npm = `#!/bin/sh
case "$*" in *${failing}*) exit 2 ;; test*) echo "$FOURFOLD_SET_UP" > ${told} ;; esac\n`;
  for (const program of ['node', 'npm', ...programs]) {
    await writeFile(join(bin, program), program === 'npm' ? npm : '#!/bin/sh\n', { mode: 0o755 });
  }
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile(script, { env: { PATH: bin, HOME: bin } }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
  return { code, output, told: (await readFile(told, 'utf8').catch(() => undefined))?.trim().split(' ') };
}
const all = ['c++', 'python3', 'go'];

test.each([
  'setup:torch',
  'setup:tensorflow',
  'setup:servers',
  'setup:webgpu -- --software',
  'setup:servers -- kubernetes',
  'setup:lpips',
  'setup:runtimes',
])('a failed %s fails it, before any test', async (failing) => {
  const { code, output, told } = await ci(failing, all);
  expect(code, output).not.toBe(0);
  expect(output).toMatch(/not set up, although this machine has/);
  expect(output).toMatch(/^0 passed, 1 failed$/m);
  expect(told).toBeUndefined();
});

test.each(['format:check', 'lint'])('a failed %s fails it, before any test', async (failing) => {
  const { code, output, told } = await ci(failing, all);
  expect(code).not.toBe(0);
  expect(output).toMatch(/^0 passed, 1 failed$/m);
  expect(told).toBeUndefined();
});

test('a machine without a compiler for it does without, and says so; the tests learn what was set up', async () => {
  const { code, output, told } = await ci('setup:torch', ['python3', 'go']);
  expect(code, output).toBe(0);
  expect(output).toContain('torch: not set up, since this machine has no c++; the tests that need it are skipped');
  expect(told).toEqual(expect.arrayContaining(['tensorflow', 'servers', 'browser', 'kubernetes', 'runtimes']));
  expect(told).not.toContain('torch');
});
