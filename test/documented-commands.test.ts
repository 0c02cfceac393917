import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandCases, type CommandCase } from './support/command-cases.js';
import { documentedCommands, repository } from './support/documented-commands.js';
import { lacks } from './support/needs.mjs';

/*
 * Every command printed on a page is run as printed, shortened as its case says, or is covered by another test, or has a reason
 * why no test can run it. A command without a case fails here, and so does a case whose command is no longer printed.
 */

/** A page that `cluster-page.test.ts` runs as a whole. */
const wholePage = 'docs/cluster.md';
const commands = documentedCommands().filter(({ page }) => page !== wholePage);
const caseOf = (text: string): CommandCase | undefined => commandCases.find(({ command }) => command.test(text));
const where = ({ page, line, text }: (typeof commands)[number]) => `${page}:${line}: ${text}`;

test('every command of the pages has a case, and every case belongs to a page', () => {
  expect(commands.length).toBeGreaterThan(80);
  expect(commands.filter(({ text }) => !caseOf(text)).map(where)).toEqual([]);
  const stale = commandCases.filter(({ command }) => !commands.some(({ text }) => command.test(text)));
  expect(stale.map(({ command }) => String(command))).toEqual([]);
});

test('the tests that other cases name exist', () => {
  for (const entry of commandCases) {
    if (!('by' in entry)) continue;
    const [file, words] = entry.by;
    expect(readFileSync(join(repository, file), 'utf8'), `${file} for ${String(entry.command)}`).toMatch(words);
  }
});

const run = promisify(execFile);

describe.skipIf(lacks('servers', !!findProgram('minio')))('run as printed (after npm run setup:servers)', () => {
  let folder: string;
  let minio: LocalMinio;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-commands-'));
    minio = await startMinio();
    await layOut(folder);
  });
  afterAll(async () => {
    await minio.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** By what is run: a command that several pages print runs once. */
  const cases = new Map<string, { place: string; says: RegExp }>();
  for (const command of commands) {
    const entry = caseOf(command.text);
    if (entry && 'run' in entry) cases.set(entry.run(command.text), { place: where(command), says: entry.says });
  }
  for (const [shortened, { place, says }] of cases) {
    test(place, { timeout: 240_000 }, async () => {
      const environment = {
        ...process.env,
        ...minio.environment,
        HOME: join(folder, 'home'),
        XDG_CACHE_HOME: cacheFolder(),
      };
      const ended = run('bash', ['-euo', 'pipefail', '-c', shortened], { cwd: folder, env: environment }).catch(
        (error: Error & { stderr: string }) => Promise.reject(new Error(`${shortened}\n${error.stderr}`)),
      );
      const { stdout, stderr } = await ended;
      expect(`${stdout}\n${stderr}`).toMatch(says);
    });
  }
});

/** Backends and servers are found in the tester's own places, although HOME differs. */
const cacheFolder = (): string => process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '/', '.cache');

/** A clone for the commands, with small pictures in place of the user's own. */
async function layOut(folder: string): Promise<void> {
  const linked = ['node_modules', 'packages', 'scripts', 'bench', 'deploy', 'proto', 'test', 'package.json'];
  const configured = (await readdir(repository)).filter((name) => /^(tsconfig.*\.json|vitest\.config\.ts)$/.test(name));
  for (const name of [...linked, ...configured]) await symlink(join(repository, name), join(folder, name));
  // Commands write into it.
  await cp(join(repository, 'examples'), join(folder, 'examples'), { recursive: true });
  const photographs = join(folder, 'examples/photographs');
  const some = (await readdir(join(photographs, 'train'))).sort().slice(0, 4);
  const crop = (from: string, to: string, [width, height]: number[]) =>
    sharp(from).resize(width, height, { fit: 'cover' }).toFile(to);
  for (const [place, size] of [
    ['home/photos', [256, 192]],
    ['home/Set5', [64, 48]],
    ['home/Set14', [64, 48]],
    ['out/photographs', [256, 192]],
  ] as const) {
    await mkdir(join(folder, place), { recursive: true });
    for (const name of some)
      await crop(join(photographs, 'train', name), join(folder, place, `${name}.png`), [...size]);
  }
  for (const name of await readdir(join(photographs, 'held-out'))) {
    const path = join(photographs, 'held-out', name);
    const small = await sharp(path).resize(80, 60, { fit: 'cover' }).toBuffer();
    await writeFile(path, small);
  }
  await crop(join(photographs, 'train', some[0]), join(folder, 'small.jpg'), [24, 16]);
  await run('tar', ['-cf', 'n01440764.tar', '-C', 'home/photos', ...(await readdir(join(folder, 'home/photos')))], {
    cwd: folder,
  });
  await run('tar', ['-cf', 'ILSVRC2012_img_train.tar', 'n01440764.tar'], { cwd: folder });
  await writeFile(join(folder, 'run.yaml'), 'recipe: demo\nname: mine\ndataset: out/photos\nstore: out/store\n');
  await writeFile(
    join(folder, 'config.yaml'),
    'recipe: srgan-mse\nname: first\ndataset: s3://fourfold/photos\nstore: s3://fourfold/store\nbatches: { from: nats }\ndata: { globalBatch: 64, replicas: 4 }\n',
  );
}
