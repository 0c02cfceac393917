import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { probeBackends } from '@fourfold/model';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectFinished, killAll, startFourfold } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * A requested backend that is not available: one line that says why, and exit code 2; 1 if another machine may have the device.
 */

afterEach(killAll);

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const oneStep = ['bench', 'step', '--phase', 'mse', '--steps', '1', '--warmup', '0'];

async function expectRefusal(args: string[], reason: RegExp, wrapper: string[] = [], code = 2): Promise<void> {
  const process = startFourfold(args, wrapper);
  expect(await process.exit).toEqual({ code, signal: null });
  expect(process.output()).toBe('');
  expect(process.errors).toEqual([expect.stringMatching(reason)]);
}

test.each([
  ['bf16 on wasm', ['--backend', 'wasm', '--dtype', 'bf16'], /^fourfold: backend wasm: precision bf16 needs the torch/],
  ['cuda on wasm', ['--backend', 'wasm', '--device', 'cuda'], /^fourfold: backend wasm: device cuda needs the torch/],
  [
    'an unknown device',
    ['--device', 'tpu'],
    /^fourfold: --device is tpu: it must be auto, cpu, cuda, cuda:N, gpu or gpu:NAME/,
  ],
  ['an unknown precision', ['--set', 'workers.precision=f16'], /^fourfold: --set workers\.precision=f16: it must be/],
])('%s', (_, args, reason) => expectRefusal([...oneStep, ...args], reason));

test('cuda on a libtorch, or a machine, without it', async ({ skip }) => {
  const [torch] = probeBackends();
  skip(lacks('torch', torch.found, torch.detail));
  skip(lacks('no-cuda', !torch.detail.includes('with CUDA')));
  const args = [...oneStep, '--backend', 'torch', '--device', 'cuda'];
  await expectRefusal(args, /^fourfold: backend torch: cuda was requested, but no CUDA device was found: /);
});

describe('torch with a set-up that cannot be used', () => {
  let folder: string;
  /** The package with its own build folder, which every process uses instead of the repository's. */
  let wrapper: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-torch-'));
    await cp(inRepository('packages/tfjs-torch/dist'), join(folder, 'dist'), { recursive: true });
    await symlink(inRepository('node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    const copy = pathToFileURL(join(folder, 'dist')).href;
    await writeFile(
      join(folder, 'resolve.js'),
      `export function resolve(name, context, next) {
         const entry = { '@fourfold/tfjs-torch': 'index', '@fourfold/tfjs-torch/probe': 'probe' }[name];
         return entry ? { url: '${copy}/' + entry + '.js', shortCircuit: true } : next(name, context);
       }`,
    );
    const register = join(folder, 'register.js');
    await writeFile(register, `import { register } from 'node:module'; register('./resolve.js', import.meta.url);`);
    wrapper = ['env', `NODE_OPTIONS=--import=${pathToFileURL(register).href}`];
  });
  afterEach(async () => {
    for (const made of ['build', 'libtorch']) await rm(join(folder, made), { recursive: true, force: true });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const here = `${process.platform}-${process.arch}`;
  /** What set-up records of an addon for libtorch 2.9.1, and a file in the addon's place. */
  async function setUp(platform = here, cuda = false): Promise<void> {
    await mkdir(join(folder, 'build'), { recursive: true });
    const record = { version: '2.9.1', libtorch: join(folder, 'libtorch'), cuda, platform };
    await writeFile(join(folder, 'build/build.json'), JSON.stringify(record));
    await writeFile(join(folder, 'build/torch.node'), 'no addon');
  }
  /** The header that gives a libtorch's version. */
  async function libtorch(version: string): Promise<void> {
    const headers = join(folder, 'libtorch/include/torch/headeronly');
    await mkdir(headers, { recursive: true });
    const lines = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part, i) => `#define TORCH_VERSION_${part} ${version.split('.')[i]}`,
    );
    await writeFile(join(headers, 'version.h'), lines.join('\n'));
  }
  const refused = (reason: RegExp, code = 2) =>
    expectRefusal([...oneStep, '--backend', 'torch'], reason, wrapper, code);

  test('never set up', () => refused(/^fourfold: backend torch: it is not set up: run npx fourfold setup torch$/));

  test('the addon of another platform', async () => {
    await setUp('plan9-mips');
    await refused(
      new RegExp(
        `^fourfold: backend torch: the addon was built for plan9-mips, but this is ${here}: run npx fourfold setup torch again`,
      ),
    );
  });

  test('libtorch is no longer there', async () => {
    await setUp();
    await refused(
      /^fourfold: backend torch: libtorch 2\.9\.1 is no longer in .*libtorch: run npx fourfold setup torch again$/,
    );
  });

  test('another libtorch in its place', async () => {
    await setUp();
    await libtorch('2.10.0');
    await refused(
      /^fourfold: backend torch: the addon was built for libtorch 2\.9\.1, but .* now has 2\.10\.0: run npx fourfold setup torch again/,
    );
  });

  test('an addon that does not load', async () => {
    await setUp();
    await libtorch('2.9.1');
    await refused(/^fourfold: backend torch: the addon cannot be loaded \(.*\): run npx fourfold setup torch again$/);
  });

  test('an addon for CUDA whose libraries this machine cannot load: exit code 1, since another machine may', async () => {
    await setUp(here, true);
    await libtorch('2.9.1');
    await refused(/^fourfold: backend torch: the addon cannot be loaded/, 1);
  });

  test('doctor says so, and auto takes another backend', async () => {
    const doctor = startFourfold(['doctor'], wrapper);
    expect(await doctor.exit).toEqual({ code: 0, signal: null });
    expect(doctor.output()).toMatch(/backend torch +it is not set up: run npx fourfold setup torch/);
    const bench = startFourfold([...oneStep, '--json'], wrapper);
    await expectFinished(bench);
    expect(JSON.parse(bench.output())).not.toMatchObject({ kind: { backend: 'torch' } });
  });
});
