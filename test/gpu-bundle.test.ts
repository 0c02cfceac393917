import { execFile, execFileSync, type ExecFileOptions } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { probe } from '@fourfold/tfjs-torch';
import { afterAll, describe, expect, test } from 'vitest';
import { lacks } from './support/needs.mjs';

/*
 * The bundle that checks a GPU, and its check, rehearsed on the CPU where nothing but the bundle, PyTorch and a compiler is to be found.
 */

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fourfold-gpu-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pathOf = (program: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((path) => join(path, program))
    .find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());

/** What check.sh and a compiler run. */
const programs = ['bash', 'dirname', 'mktemp', 'c++', 'as', 'ld', 'python3'];
const found = probe();
const absent = programs.filter((program) => !pathOf(program));
const isReady = found.found && absent.length === 0 && process.platform === 'linux';

/** A folder of programs: links, and a python3 that has the PyTorch of this checkout's addon. */
function createPrograms(libtorch: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const program of programs.filter((name) => name !== 'python3')) {
    symlinkSync(pathOf(program) as string, join(bin, program));
  }
  // The one of the PATH may be a script that needs other programs.
  const stdout = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  const script = `#!${pathOf('bash') ?? ''}\nPYTHONPATH=${dirname(libtorch)} exec ${stdout.trim()} "$@"\n`;
  writeFileSync(join(bin, 'python3'), script);
  chmodSync(join(bin, 'python3'), 0o755);
  return bin;
}

/** Run a program to its end. It takes minutes, during which Vitest must hear of this process. */
const run = (program: string, args: string[], options: ExecFileOptions) =>
  new Promise<{ status: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, { ...options, encoding: 'utf8', maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr }),
    );
  });

interface Line {
  step: string;
  result?: string;
  reason?: string;
}

describe.skipIf(lacks('torch', isReady, absent.join(', ')))('the bundle for a GPU (after npm run setup:torch)', () => {
  const bundle = join(folder, 'bundle');

  test('is made, and is small enough to be carried', { timeout: 600_000 }, async () => {
    const { status, stdout, stderr } = await run(
      process.execPath,
      [inRepository('bench/gpu/bundle.mjs'), '--out', bundle],
      { cwd: inRepository('.') },
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toContain(`${bundle}: `);
    const sizes = readdirSync(bundle).map((name) => statSync(join(bundle, name)).size);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(60 * 2 ** 20);
  });

  test('its check passes on the CPU where nothing else is to be found', { timeout: 1_500_000 }, async () => {
    const [home, output, temporary] = ['home', 'output', 'temporary'].map((name) => join(folder, name));
    for (const path of [home, temporary]) mkdirSync(path);
    const { build } = found as Extract<typeof found, { found: true }>;
    // An addon that is made of the same is used: compiling it is most of the work.
    const addon = ['--addon', inRepository('packages/tfjs-torch/build')];
    const args = ['--device', 'cpu', '--small', '--patience', '20', ...addon];
    const { status, stdout, stderr } = await run(join(bundle, 'check.sh'), args, {
      env: { PATH: createPrograms(build.libtorch), HOME: home, OUT: output, TMPDIR: temporary },
    });
    const lines = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line);
    const results = Object.fromEntries(lines.flatMap(({ step, result }) => (result ? [[step, result]] : [])));
    expect(results, stdout + stderr).toMatchObject({
      addon: 'passed',
      'suite-sample': 'passed',
      suite: 'passed',
      parity: 'passed',
      repeat: 'passed',
      contest: 'passed',
      memory: 'passed',
      workers: 'passed',
      faults: 'passed',
      upscale: 'passed',
    });
    expect(lines.find(({ step, result }) => step === 'compile-peer' && result)).toMatchObject({
      result: 'skipped',
      reason: expect.stringContaining('CPU') as string,
    });
    expect(stdout).toContain('Every step passed');
    expect(status).toBe(0);
    expect(readFileSync(join(output, 'gpu-check.jsonl'), 'utf8')).toBe(
      `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`,
    );
    expect(readFileSync(join(output, 'gpu-check.md'), 'utf8')).toContain('| parity | passed |');
    // It leaves nothing behind.
    expect([readdirSync(home), readdirSync(temporary)]).toEqual([[], []]);
  });
});

describe('the steps of the check', async () => {
  const { chosenStages, secondsFor, stages } = (await import(inRepository('bench/gpu/steps.mjs'))) as {
    chosenStages: (only?: string[]) => { name: string }[][];
    secondsFor: (step: object, later: object[][], leftSeconds: number) => number;
    stages: { name: string; usualSeconds: number }[][];
  };
  const { verdictOf } = (await import(inRepository('bench/gpu/summary.mjs'))) as {
    verdictOf: (results: { step: string; result: string }[]) => string;
  };

  test('a step has its own limit, and leaves later ones their usual time', () => {
    const step = { mostSeconds: 250, usualSeconds: 100 };
    const later = [[{ usualSeconds: 20 }, { usualSeconds: 50 }], [{ usualSeconds: 30 }]];
    const seconds = (left: number) => secondsFor(step, later, left);
    expect([480, 300, 150, 60].map(seconds)).toEqual([250, 220, 100, 60]);
  });

  test('all together fit into eight minutes, at their usual times', () => {
    const usual = stages.map((stage) => Math.max(...stage.map((step) => step.usualSeconds)));
    expect(usual.reduce((sum, seconds) => sum + seconds)).toBeLessThan(480);
  });

  test('chosen ones come with the addon, which they need', () => {
    expect(chosenStages(['parity']).map((stage) => stage.map(({ name }) => name))).toEqual([['addon'], ['parity']]);
  });

  test('the verdict names what failed and what could not run', () => {
    const results = [
      { step: 'addon', result: 'passed' },
      { step: 'suite', result: 'failed' },
      { step: 'tensorflow', result: 'skipped' },
    ];
    expect(verdictOf(results)).toBe('1 of 3 steps failed: suite; skipped: tensorflow');
    expect(verdictOf(results.filter(({ result }) => result !== 'failed'))).toBe(
      'Every step passed; skipped: tensorflow',
    );
  });
});
