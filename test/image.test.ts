import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { lacks } from './support/needs.mjs';

/*
 * `npm run image` takes minutes and an engine, so CI tries its parts: the base is made, and Node.js, npm and the commands of the
 * Dockerfile's steps run in it. FOURFOLD_TEST_IMAGE=1 builds the image wasm twice.
 */

const run = promisify(execFile);
const repository = fileURLToPath(new URL('..', import.meta.url));
const script = join(repository, 'scripts/image.mjs');
/** The base takes Debian's packages, and the test enters it with chroot. */
const canEnter = process.platform === 'linux' && process.getuid?.() === 0;

test.skipIf(lacks('linux', canEnter, 'not root on Linux'))(
  'the base holds what the steps of the image need',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fourfold-base-'));
    try {
      const [files, downloads] = [join(folder, 'files'), join(folder, 'downloads')];
      await Promise.all([mkdir(files), mkdir(downloads)]);
      const layOut = `import { layOutBase } from './scripts/base-image.mjs';
      await layOutBase(${JSON.stringify(files)}, ${JSON.stringify(downloads)});`;
      await run(process.execPath, ['--input-type=module', '-e', layOut], { cwd: repository });
      const within = async (...command: string[]) => (await run('chroot', [files, ...command])).stdout.trim();
      expect(await within('/usr/local/bin/node', '-p', 'process.version')).toBe(process.version);
      const dockerfile = await readFile(join(repository, 'deploy/docker/Dockerfile'), 'utf8');
      for (const command of ['npm', 'rm', 'find', 'ln']) {
        expect(dockerfile).toMatch(new RegExp(`(RUN|&&) ${command} `));
        expect(await within('/bin/sh', '-c', `PATH=/usr/local/bin:/usr/bin:/bin command -v ${command}`)).not.toBe('');
      }
      const described = join(files, 'var/lib/dpkg/status.d');
      const names = await readdir(described);
      expect(names).toEqual(expect.arrayContaining(['busybox-static', 'libc6']));
      for (const name of names) {
        const text = await readFile(join(described, name), 'utf8');
        expect(text).toContain(`Package: ${name}\n`);
        expect(text).toMatch(/^Version: \d/m);
      }
      const authorities = await readFile(join(files, 'etc/ssl/certs/ca-certificates.crt'), 'utf8');
      expect(authorities.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(100);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

test('without an engine npm run image says which one to install', async () => {
  const ended = run(process.execPath, [script], { cwd: repository, env: { PATH: '/nowhere' } });
  await expect(ended).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/neither podman nor buildah.*apt-get install/) as unknown,
  });
});

test.skipIf(lacks('image', !!process.env['FOURFOLD_TEST_IMAGE']))(
  'two builds of the image wasm have one digest',
  async () => {
    const { stderr } = await run(process.execPath, [script, '--check'], { cwd: repository, maxBuffer: 2 ** 26 });
    expect(stderr).toContain('a second build without the cache gave the same');
  },
  3_600_000,
);
