import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { processesOf } from './support/left-behind.js';
import { lacks } from './support/needs.mjs';
import { photographs } from './support/process.js';

/*
 * Scripts end the processes that they start, and a script that finds nothing to do says so.
 */

const pathOf = (script: string) => fileURLToPath(new URL(`../${script}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fourfold-scripts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function startScript(args: string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...environment } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  return { child, output: () => output, exit: once(child, 'close') as Promise<[number | null, string | null]> };
}

/** A script that starts `sh -c COMMAND` in the folder that it is given and then does what `more` says. */
const scriptOf = (command: string, more = '') => [
  ...['--input-type=module', '-e'],
  `import { runChild } from ${JSON.stringify(pathOf('scripts/child-processes.mjs'))};
   const child = runChild('sh', ['-c', ${JSON.stringify(command)}], { cwd: process.env.FOLDER });
   ${more}
   await child;`,
];
const running = (count: number) => expect.poll(() => processesOf(folder), { interval: 20 }).toHaveLength(count);

test.each([
  ['SIGTERM', 143, 'sleep 600 & sleep 600; :'],
  ['SIGINT', 130, 'sleep 600 & sleep 600; :'],
  // The first signal is ignored.
  ['SIGHUP', 129, 'trap "" TERM; sleep 600 & sleep 600; :'],
] as const)('a script that %s ends leaves nothing running', async (signal, code, command) => {
  const { child, exit } = startScript(scriptOf(command), { FOLDER: folder });
  await running(3);
  child.kill(signal);
  expect(await exit).toEqual([code, null]);
  await running(0);
});

test('a script that fails leaves nothing running', async () => {
  const { exit, output } = startScript(
    scriptOf('sleep 600; :', `await new Promise((done) => setTimeout(done, 300)); throw new Error('this one');`),
    { FOLDER: folder },
  );
  expect(await exit, output()).toEqual([1, null]);
  expect(output()).toContain('this one');
  await running(0);
});

test('bench/compare.mjs, when it is ended, ends its peer and starts no other', async () => {
  const python = join(folder, 'python');
  const script = `#!/bin/sh\n[ "$1" = -c ] || { cd '${folder}'; sleep 600; }\n`;
  writeFileSync(python, script);
  chmodSync(python, 0o755);
  const compare = [pathOf('bench/compare.mjs'), '--only', 'update'];
  const { child, exit, output } = startScript(compare, { FOURFOLD_PYTHON: python });
  await running(2);
  child.kill('SIGTERM');
  expect(await exit).toEqual([143, null]);
  await running(0);
  expect(output()).toMatch(/^[^\n]*: round 1 of 3\n$/);
});

test.skipIf(lacks('torch', existsSync(pathOf('packages/tfjs-torch/build/torch.node'))))(
  'npm run conformance says that it ran no test',
  async () => {
    const args = [pathOf('packages/tfjs-torch/conformance/run.mjs'), '--filter', 'no spec is named like this'];
    const { exit, output } = startScript(args);
    expect(await exit, output()).toEqual([2, null]);
    expect(output()).toContain('conformance: no test ran');
  },
);

test.each([
  ['chaos', ['--minutes', '30'], /^300 faults, seed 1: /],
  ['soak', ['--minutes', '20', '--seed', '2'], /^1200 s, .*, seed 2: /],
] as const)(
  'npm run %s finds its test, as long as asked for, and fails where that is skipped',
  async (name, args, title) => {
    const { exit, output } = startScript([pathOf(`scripts/${name}.mjs`), ...args], {
      PATH: folder,
      XDG_CACHE_HOME: folder,
      NO_COLOR: '1',
      FOURFOLD_SET_UP: '',
    });
    expect(await exit, output()).toEqual([2, null]);
    expect(output()).toMatch(/Tests .*1 skipped/);
    expect(output()).toContain(
      `test/${name}.test.ts: a test was skipped: nats-server and MinIO are missing; run npm run setup:servers`,
    );
    const report = JSON.parse(await readFile(pathOf('out/one-test.json'), 'utf8')) as {
      testResults: { assertionResults: { title: string; status: string }[] }[];
    };
    const skipped = report.testResults[0].assertionResults.filter(({ status }) => status !== 'passed');
    expect(skipped.map((one) => one.title)).toEqual([expect.stringMatching(title) as string]);
  },
);

test('setup:runtimes takes an empty folder for its own, which a kill has left, and refuses somebody’s', async () => {
  const cache = join(folder, 'runtimes-cache');
  for (const name of ['runtimes', 'python']) mkdirSync(join(cache, 'fourfold', name), { recursive: true });
  writeFileSync(join(cache, 'fourfold/python/thesis.txt'), 'mine');
  const nothing = { XDG_CACHE_HOME: cache, PATH: join(folder, 'nowhere'), PYTHON: join(folder, 'nowhere/python') };
  const script = startScript([pathOf('scripts/setup-runtimes.mjs')], nothing);
  expect(await script.exit).toEqual([2, null]);
  expect(script.output()).toContain(`${join(cache, 'fourfold/python')} has no made-of.json`);
  expect(script.output()).not.toContain(`${join(cache, 'fourfold/runtimes')} has no made-of.json`);
  expect(existsSync(join(cache, 'fourfold/python/thesis.txt'))).toBe(true);
});

test('npm run study prepares a study of the shipped generators and serves it; a second start keeps it', async () => {
  const images = join(folder, 'pictures');
  mkdirSync(images);
  for (const name of ['raccoon.jpg', 'coffee.png']) {
    const picture = sharp(join(photographs, 'held-out', name)).resize(64, 48, { fit: 'cover' });
    await picture.toFile(join(images, name));
  }
  const out = join(folder, 'study');
  for (const beginning of [/^/, /^the study in .* already exists/]) {
    const study = startScript([pathOf('scripts/study.mjs'), '--images', images, '--out', out, '--http', '127.0.0.1:0']);
    const url = () => /http:[/][/]\S+/.exec(study.output())?.[0] ?? '';
    await expect.poll(url).not.toBe('');
    expect(study.output()).toMatch(beginning);
    expect(await (await fetch(url())).text()).toContain('</html>');
    study.child.kill('SIGTERM');
    await study.exit;
  }
  expect(JSON.stringify(await readFile(join(out, 'study.json'), 'utf8'))).toMatch(
    /srgan.*srresnet-mse|srresnet-mse.*srgan/,
  );
});
