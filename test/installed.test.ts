import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchServer, type LocalServer } from '@fourfold/local-servers';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';

/*
 * All packages are published to a registry on this machine, which gets other packages from npm's. A user's empty folder installs them
 * from there, without anything of this repository.
 */

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fourfold-installed-'));
const user = join(folder, 'user');
const minutes = 60_000;
const rootPackage = readJson<{ version: string; devDependencies: Record<string, string> }>(join(root, 'package.json'));
let registry: LocalServer | undefined;
let environment: NodeJS.ProcessEnv;

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** Run a program in the user's folder; returns what it wrote. */
function run(program: string, args: string[], cwd = user): string {
  const options = { cwd, env: environment, encoding: 'utf8' as const, timeout: 10 * minutes, maxBuffer: 2 ** 26 };
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  expect(status, `${program} ${args.join(' ')}: ${error?.message ?? ''}\n${stdout}\n${stderr}`).toBe(0);
  return stdout + stderr;
}

/** Start the registry; resolves with its URL when it answers. */
async function startRegistry(): Promise<string> {
  const upstream = spawnSync('npm', ['config', 'get', 'registry'], { cwd: root, encoding: 'utf8' }).stdout.trim();
  const ours = { access: '$all', publish: '$all' };
  const configuration = {
    storage: join(folder, 'storage'),
    auth: { htpasswd: { file: join(folder, 'htpasswd') } },
    uplinks: { upstream: { url: upstream, timeout: '60s' } },
    packages: { '@fourfold/*': ours, fourfold: ours, '**': { access: '$all', proxy: 'upstream' } },
    max_body_size: '100mb',
    log: { type: 'stdout', level: 'warn' },
  };
  const path = join(folder, 'verdaccio.yaml');
  writeFileSync(path, JSON.stringify(configuration));
  const verdaccio = join(root, 'node_modules/verdaccio/bin/verdaccio');
  const server = await launchServer({
    program: process.execPath,
    folder: join(folder, 'registry'),
    portCount: 1,
    prepare: ([port]) =>
      Promise.resolve({ args: [verdaccio, '--config', path, '--listen', `127.0.0.1:${port}`], env: {} }),
    readyUrl: ([port]) => `http://127.0.0.1:${port}/-/ping`,
  });
  registry = server;
  return `http://127.0.0.1:${server.ports[0]}/`;
}

/** The environment of a user who has nothing of fourfold, no settings of npm, and only this registry. */
function userEnvironment(url: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|FOURFOLD_|VITEST|NODE_ENV|NODE_OPTIONS)/i.test(name),
  );
  const npmrc = join(folder, 'npmrc');
  // npm publishes only with a token; this registry takes any.
  writeFileSync(
    npmrc,
    `registry=${url}\n${url.replace('http:', '')}:_authToken=any\naudit=false\nfund=false\nupdate-notifier=false\n`,
  );
  return {
    ...Object.fromEntries(kept),
    ...{ npm_config_userconfig: npmrc, npm_config_cache: join(folder, 'npm-cache') },
    ...{ HOME: folder, XDG_CACHE_HOME: join(folder, 'cache') },
  };
}

beforeAll(async () => {
  mkdirSync(user);
  environment = userEnvironment(await startRegistry());
  // All but the private ones.
  run('npm', ['publish', '--workspaces', '--ignore-scripts', '--loglevel=error'], root);
  run('npm', ['install', 'fourfold', '--loglevel=error']);
  await sharp(join(photographs, 'held-out/raccoon.jpg')).resize(64, 48).toFile(picture);
}, 15 * minutes);

afterAll(async () => {
  await registry?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('the command is installed from the registry, and README.md says how large', () => {
  const lock = readJson<{ packages: Record<string, { version: string; resolved?: string }> }>(
    join(user, 'node_modules/.package-lock.json'),
  ).packages;
  expect(lock['node_modules/fourfold'].resolved).toContain('http://127.0.0.1:');
  expect(Object.keys(lock).filter((path) => path.includes('local-servers'))).toEqual([]);
  expect(run('npx', ['fourfold', '--version']).trim()).toBe(lock['node_modules/fourfold'].version);
  const files = readdirSync(join(user, 'node_modules'), { recursive: true, withFileTypes: true });
  const bytes = files
    .filter((file) => file.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  const megabytes = Math.round(bytes / 1e6);
  const count = Object.keys(lock).length;
  console.log(`npm install fourfold: ${count} packages, ${megabytes} MB`);
  const [, saidCount, saidMegabytes] =
    /(\d+) packages, (\d+) MB/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? [];
  // New releases of dependencies change them.
  expect(Math.abs(count / Number(saidCount) - 1)).toBeLessThan(0.2);
  expect(Math.abs(megabytes / Number(saidMegabytes) - 1)).toBeLessThan(0.2);
});

test('doctor finds everything required, and says how to set up the rest', () => {
  const output = run('npx', ['fourfold', 'doctor']);
  expect(output).toMatch(/ok +backend wasm/);
  expect(output).toMatch(/backend torch +it is not set up: run npx fourfold setup torch/);
  expect(run('npx', ['fourfold', 'setup', 'servers', '--help'])).toContain('nats-server');
  expect(run('npx', ['fourfold', 'setup', 'tensorflow', '--help'])).toContain('tfjs-node');
  expect(run('npx', ['tfjs-torch', 'setup', '--help'])).toContain('libtorch');
  expect(run('npx', ['fourfold', 'setup', 'torch', '--help'])).toBe(run('npx', ['tfjs-torch', 'setup', '--help']));
});

test('the demo trains, and its checkpoint upscales a picture', { timeout: 15 * minutes }, () => {
  run('npx', ['fourfold', 'demo', '--quick']);
  for (const name of ['report.json', 'curves.png', 'comparison.png']) {
    expect(existsSync(join(user, 'out/demo', name)), name).toBe(true);
  }
  expect(run('npx', ['fourfold', 'upscale', picture, 'large.png', '--checkpoint', checkpoint])).toMatch(
    /large\.png: \d+x\d+ from/,
  );
});

const photographs = join(user, 'node_modules/fourfold/dist/assets/photographs');
/** A small part of a photograph: a whole one would take each program many seconds. */
const picture = join(user, 'small.png');
const checkpoint = 'out/demo/store/runs/demo';

test('programs train a generator and upscale by the packages’ public functions', { timeout: 20 * minutes }, () => {
  // TypeScript 6 has WebGPU types of its own, which conflict with those of TensorFlow.js.
  const typescript = '5.9';
  const types = rootPackage.devDependencies['@types/node'];
  run('npm', ['install', '@fourfold/upscale', '--loglevel=error']);
  run('npm', ['install', `typescript@${typescript}`, `@types/node@${types}`, '--save-dev', '--loglevel=error']);
  const programs = fileURLToPath(new URL('installed/', import.meta.url));
  for (const name of ['train.ts', 'upscale.ts', 'sharpen.ts']) {
    cpSync(join(programs, name), join(user, name));
    expect(readFileSync(join(user, name), 'utf8').split('\n').length).toBeLessThanOrEqual(40);
  }
  for (const [i, example] of readmeExamples().entries()) writeFileSync(join(user, `example-${i}.ts`), example);
  const compilerOptions = { target: 'ES2023', module: 'NodeNext', strict: true, skipLibCheck: false, types: ['node'] };
  writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  const manifest = readJson<object>(join(user, 'package.json'));
  writeFileSync(join(user, 'package.json'), JSON.stringify({ ...manifest, type: 'module' }));
  run('npx', ['tsc']);
  // @fourfold/upscale's own types do not name TensorFlow.js's: they check with TypeScript 6, and without a browser's.
  const alone = { compilerOptions: { ...compilerOptions, lib: ['ES2023'], noEmit: true }, files: ['sharpen.ts'] };
  writeFileSync(join(user, 'tsconfig.sharpen.json'), JSON.stringify(alone));
  run('node', [join(root, 'node_modules/typescript/bin/tsc'), '--project', 'tsconfig.sharpen.json']);
  expect(run('node', ['train.js', join(photographs, 'train')])).toMatch(/^on wasm\n0 /m);
  expect(existsSync(join(user, 'generator.safetensors'))).toBe(true);
  expect(run('node', ['upscale.js', checkpoint, picture, 'by-program.png'])).toMatch(/^\d+x\d+\n$/);
  expect(run('node', ['sharpen.js', checkpoint, picture, 'sharpened.png'])).toMatch(/^1\.00$/m);
  expect(existsSync(join(user, 'sharpened.png'))).toBe(true);
});

/** The TypeScript in the packages' README.md files; it has to compile, too. */
function readmeExamples(): string[] {
  return readdirSync(join(root, 'packages')).flatMap((name) => {
    const path = join(root, 'packages', name, 'README.md');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return [...text.matchAll(/^```ts\n(import .*?)^```/gms)].map(([, example]) => example);
  });
}
