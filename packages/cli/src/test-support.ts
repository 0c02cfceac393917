import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseRunConfig, type GeneratorConfig } from '@fourfold/common';
import { type ObjectStore, writeCheckpoint } from '@fourfold/store';
import { initialVector, generatorLayout, safetensorsFromVector } from '@fourfold/weights';

const command = fileURLToPath(new URL('../bin/fourfold.js', import.meta.url));

/** The example photographs in the repository. */
export const heldOutPhotographs = fileURLToPath(new URL('../../../examples/photographs/held-out', import.meta.url));

export interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Run the built `fourfold` as a process of its own, in `folder`. */
export const fourfold = (folder: string, ...args: string[]): Promise<Outcome> => fourfoldWith({}, folder, ...args);

/** The same with more variables in its environment. */
export function fourfoldWith(environment: Record<string, string>, folder: string, ...args: string[]): Promise<Outcome> {
  const options = { cwd: folder, env: { ...process.env, ...environment } };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], options, (error, stdout, stderr) => {
      resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

/** Run `use` in a new folder, which is removed afterwards. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-cli-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Write a checkpoint of a small generator with weights from the seed 0, as a run with these sizes would, and return its name.
 * `written` are the actual sizes in the file.
 */
export function writeSmallCheckpoint(
  run: ObjectStore,
  iteration: number,
  sizes: GeneratorConfig,
  written = sizes,
  psnr = 20 + iteration,
): Promise<string> {
  const config = parseRunConfig(
    {
      name: 'small',
      dataset: 'nowhere',
      generator: sizes,
      phases: [{ kind: 'mse', iterations: 4, learningRate: 1e-3 }],
    },
    'small run',
  );
  const layout = generatorLayout(written);
  const evaluation = { iteration, psnr, ssim: 0.5, pictures: [] };
  return writeCheckpoint(
    run,
    {
      run: 'small',
      iteration,
      versions: { generator: iteration, discriminator: 0 },
      finished: iteration === 4,
      term: 1,
      config,
      seed: 0,
      datasetSha256: '',
      workerKind: '',
      history: { rows: [], evaluations: [evaluation] },
      best: { iteration, psnr },
    },
    { 'generator.safetensors': safetensorsFromVector(layout, initialVector(layout, 0), {}) },
    async () => undefined,
  );
}
