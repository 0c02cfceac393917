import { sha256, type Versions } from '@fourfold/common';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cluster } from './cluster.js';
import { once } from './once.js';
import { fourfold, photographs } from './process.js';

/** SHA-256 of a checkpoint's weights, and its iteration and term. */
export interface FinalWeights {
  checkpoint: string;
  /** Updates of each network: a run that is stopped between the halves of an iteration has one more of the discriminator's. */
  versions: Versions;
  generator: string;
  /** Of the generator's moving average. */
  average: string;
  discriminator: string;
}

const inTemporaryFolder = async <T>(act: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-final-'));
  try {
    return await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

async function weightsIn(folder: string, checkpoint: string): Promise<FinalWeights> {
  const hashOf = async (file: string) => sha256(await readFile(join(folder, file)));
  const { versions } = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { versions: Versions };
  return {
    checkpoint,
    versions,
    generator: await hashOf('generator.safetensors'),
    average: await hashOf('generator-average.safetensors'),
    discriminator: await hashOf('discriminator.safetensors'),
  };
}

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await fourfold(args);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** The result of a config (as for `startCluster`) on one worker, with folders and no servers. */
export const weightsOfOneWorker = (config: string): Promise<FinalWeights> =>
  inTemporaryFolder(async (folder) => {
    const dataset = await once('dataset-of-six', async (shared) => {
      const out = join(shared, 'dataset');
      await succeed('prepare', '--images', join(photographs, 'train'), '--out', out, '--sample', '6', '--seed', '1');
      return out;
    });
    const configPath = join(folder, 'run.yaml');
    await writeFile(configPath, `name: alone\n${config}\ndataset: ${dataset}\nstore: ${join(folder, 'store')}\n`);
    const url = await succeed('train', configPath, '--workers', '1');
    return weightsIn(fileURLToPath(url), url.split('/').at(-1) as string);
  });

/** The newest checkpoint of a cluster's run, pulled as other deployments do. */
export const pulledWeights = (cluster: Pick<Cluster, 'run' | 'runUrl'>): Promise<FinalWeights> =>
  inTemporaryFolder(async (folder) => {
    const pull = cluster.run('checkpoints', 'pull', `${cluster.runUrl}/latest`, folder, '--json');
    const { code } = await pull.exit;
    if (code !== 0) throw new Error(pull.errors.join('\n'));
    const { checkpoint } = JSON.parse(pull.output()) as { checkpoint: string };
    return weightsIn(folder, checkpoint.split('/').at(-1) as string);
  });
