import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { lacks } from './support/needs.mjs';

/*
 * Short commands and refusals are quick because of what they do not load. Times depend on the machine, so this test looks at the modules:
 * `node bench/startup.mjs` measures the times.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
/** Makes a process say which scripts it loads. Its own inspector tells: hooks of the module loader would take seconds a process. */
const register = `data:text/javascript,${encodeURIComponent(
  `import { Session } from 'node:inspector';
   const session = new Session();
   session.connect();
   session.on('Debugger.scriptParsed', ({ params }) => process._rawDebug('loads ' + params.url));
   session.post('Debugger.enable');`,
)}`;

/** A home without a kubeconfig. */
const env = { ...process.env, HOME: root, KUBECONFIG: '' };

/** Run the command; returns the packages that it loaded modules of. */
const packagesOf = (args: string[], exitCode: number): string[] =>
  packagesOfProgram(['packages/cli/bin/fourfold.js', ...args], exitCode);

function packagesOfProgram(program: string[], exitCode: number): string[] {
  const command = [`--import=${register}`, ...program];
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8', env });
  expect(status, stderr).toBe(exitCode);
  const found = [...stderr.matchAll(/^loads (?!node:|data:|wasm:)(.+)$/gm)].map(([, path]) => {
    const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
    if (path.endsWith('/assets/zod.js')) return 'zod.js';
    return installed ?? /\/packages\/([^/]+)\//.exec(path)?.[1] ?? path;
  });
  return [...new Set(found)].sort();
}

/** Libraries that take longer to load than a short command may take, or that only some commands need. */
const heavy =
  /^(tfjs-torch|model|rpc|coordinator|worker|@tensorflow\/|@grpc\/|@nats-io\/|@kubernetes\/|@napi-rs\/|sharp$|minio$|pino$|prom-client$|protobufjs$|chart\.js$)/;

test('--version loads commander and what needs no library', () => {
  expect(packagesOf(['--version'], 0)).toEqual(['cli', 'commander', 'common']);
});

test('an unknown option of train is refused before a config could be read', () => {
  expect(packagesOf(['train', '--wrong'], 2)).toEqual(['cli', 'commander', 'common']);
});

test.each([
  ['the help of all commands', ['--help'], 0],
  ['a config that does not exist', ['train', 'missing.yaml'], 2],
  ['a part without its config', ['worker', '--config', 'missing.yaml'], 2],
  ['a cluster that is not known', ['status', 'run'], 2],
  ['a checkpoint that does not exist', ['upscale', 'missing.png', 'large.png', '--checkpoint', 'missing'], 2],
])('%s: none of the heavy libraries is loaded', (_, args, exitCode) => {
  expect(packagesOf(args, exitCode).filter((name) => heavy.test(name))).toEqual([]);
});

test('a compute thread loads neither what reads configs, nor what talks to other parts, nor backends that it may not start', () => {
  // Outside a thread it fails, after all its imports.
  const packages = packagesOfProgram(['packages/worker/dist/compute/compute-thread.js'], 1);
  expect(packages).toContain('model');
  expect(
    packages.filter((name) =>
      /^(zod|yaml|store|rpc|data-loader|@grpc\/|protobufjs$|@tensorflow\/tfjs-backend-cpu$)/.test(name),
    ),
  ).toEqual([]);
});

test.each([
  ['a worker', 'worker/dist/index.js', ['rpc', 'store', 'zod.js'], /^@nats-io\/|^(yaml|yauzl|zod)$/],
  ['`train`', 'cli/dist/train/run-train.js', ['rpc', 'store', 'zod.js'], /^@nats-io\/|^(yauzl|zod)$/],
  ['a command for Kubernetes', 'cli/dist/kubernetes/cluster-api.js', ['cli'], /^@kubernetes\/|^(ws|js-yaml)$/],
])('%s loads no library that few of its kind need', (_, program, needed, few) => {
  const packages = packagesOfProgram([`packages/${program}`], 0);
  expect(packages).toEqual(expect.arrayContaining(needed));
  expect(packages.filter((name) => few.test(name))).toEqual([]);
});

/** Linux lists a process's threads here. */
const threads = '/proc/self/task';

test.skipIf(lacks('linux', existsSync(threads)))('a thread for each core reads files and decodes pictures', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fourfold-threads-'));
  try {
    const machine = join(folder, 'machine.cjs');
    writeFileSync(
      machine,
      `delete process.env.UV_THREADPOOL_SIZE;
       require('node:os').availableParallelism = () => 40;
       const countThreads = () => require('node:fs').readdirSync('${threads}').length;
       process.on('exit', () => process._rawDebug('threads ' + countThreads()));`,
    );
    const command = ['--require', machine, 'packages/cli/bin/fourfold.js', '--version'];
    const { stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8', env });
    expect(Number(/^threads (\d+)$/m.exec(stderr)?.[1]), stderr).toBeGreaterThan(40);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
