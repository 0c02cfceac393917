import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parseDockerfile, stepsOf } from './dockerfile.js';
import { lacks } from '../../../test/support/needs.mjs';

/*
 * No engine builds the images here. These tests check that everything a step needs exists; with FOURFOLD_TEST_DOCKERFILE=1 the
 * steps of the stage `build` run in a clean folder, which takes some minutes.
 */

const root = fileURLToPath(new URL('../../..', import.meta.url));
const stages = parseDockerfile(readFileSync(join(root, 'deploy/docker/Dockerfile'), 'utf8'));
const steps = stages.flatMap(({ name, steps }) => steps.map((step) => ({ stage: name, ...step })));
const copies = steps
  .filter(({ instruction, text }) => instruction === 'COPY' && !text.startsWith('--from='))
  .map(({ text }) => ({ sources: text.split(' ').slice(0, -1), target: text.split(' ').at(-1) as string }));
const commands = steps.filter(({ instruction }) => instruction === 'RUN').map(({ text }) => text);
const { workspaces, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  workspaces: string[];
  scripts: Record<string, string>;
};
const run = promisify(execFile);

test('every copied file exists, and npm gets the package.json of every workspace', () => {
  for (const source of copies.flatMap(({ sources }) => sources))
    expect(existsSync(join(root, source)), source).toBe(true);
  const before = stepsOf(stages, 'packages').filter(({ instruction }) => instruction === 'COPY');
  for (const folder of workspaces) {
    expect(before.map(({ text }) => text)).toContain(`${folder}/package.json ${folder}/`);
  }
});

test('every script that a step runs exists', () => {
  const npm = commands.flatMap((command) => [...command.matchAll(/npm run (?:--\S+ )*(\S+)/g)].map(([, name]) => name));
  const node = commands.flatMap((command) => [...command.matchAll(/node (\S+\.m?js)/g)].map(([, path]) => path));
  expect(npm.length).toBeGreaterThan(0);
  for (const name of npm) expect(Object.keys(scripts)).toContain(name);
  expect(node.length).toBeGreaterThan(0);
  for (const path of node) expect(existsSync(join(root, path)), path).toBe(true);
});

test('no image requests GPUs: it serves all parts', () => {
  expect(stages.map(({ name }) => name)).toContain('cuda');
  for (const { text } of steps) expect(text).not.toContain('NVIDIA_VISIBLE_DEVICES');
});

test('every stage comes after those that it begins with or copies from', () => {
  const names = stages.map(({ name }) => name);
  for (const [i, { from, steps }] of stages.entries()) {
    const used = steps.flatMap(({ text }) => /^--from=(\S+)/.exec(text)?.[1] ?? []);
    for (const name of [from, ...used].filter((one) => !one.startsWith('$'))) expect(names.slice(0, i)).toContain(name);
  }
});

test('the entrypoint runs from the folder of the image, through its link and from another folder', async () => {
  const link = commands.map((command) => /^ln -s \/app\/(\S+) (\S+)$/.exec(command)).find(Boolean) as RegExpExecArray;
  const entrypoint = steps.find(({ instruction }) => instruction === 'ENTRYPOINT');
  expect(entrypoint?.text).toBe(`["${basename(link[2])}"]`);
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-image-'));
  try {
    await symlink(join(root, link[1]), join(folder, 'fourfold'));
    expect(statSync(join(root, link[1])).mode & 0o111).not.toBe(0);
    const { stdout } = await run(join(folder, 'fourfold'), ['--version'], { cwd: folder });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.skipIf(lacks('dockerfile', !!process.env['FOURFOLD_TEST_DOCKERFILE']))(
  'the steps of the stage build leave everything that runs',
  async () => {
    const app = await mkdtemp(join(tmpdir(), 'fourfold-build-'));
    try {
      const { stdout: files } = await run('git', ['ls-files', '-z'], { cwd: root, maxBuffer: 2 ** 24 });
      const tracked = files.split('\0').filter(Boolean);
      for (const { instruction, text } of stepsOf(stages, 'build')) {
        if (instruction === 'RUN') await run('sh', ['-c', text], { cwd: app, maxBuffer: 2 ** 26 });
        if (instruction !== 'COPY') continue;
        const sources = text.split(' ').slice(0, -1);
        for (const file of tracked.filter((one) => sources.includes('.') || sources.includes(one))) {
          mkdirSync(dirname(join(app, file)), { recursive: true });
          cpSync(join(root, file), join(app, file));
        }
      }
      const fourfold = join(app, 'packages/cli/bin/fourfold.js');
      expect((await run(fourfold, ['--version'], { cwd: tmpdir() })).stdout).toMatch(/^\d/);
      expect((await run(fourfold, ['doctor', '--json'], { cwd: tmpdir() })).stdout).toContain('wasm');
    } finally {
      await rm(app, { recursive: true });
    }
  },
  900_000,
);
