import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError, loadRunConfig, type RunConfig, type Setting } from '@fourfold/common';
import { stringify } from 'yaml';
import { examplePhotographs } from '../assets.js';

/** Where in MinIO a cluster's objects are. */
export const places = { dataset: 's3://fourfold/dataset', store: 's3://fourfold/store' };

/** What a cluster trains. */
export interface ClusterRun {
  /** A file that all parts read. */
  configPath: string;
  config: RunConfig;
  /** The folder of photographs still to be prepared; undefined if the cluster's folder held a run already. */
  images?: string;
}

export interface ClusterRunOptions {
  /** A run's config, whose dataset, store and batches are replaced by the cluster's; default: the recipe `demo`. */
  config?: string;
  /** The photographs to train on; default: the examples. */
  images?: string;
  set: readonly string[];
  workers: number;
}

/**
 * The run of the cluster in `folder`: the existing one, else a new one. Throws `invalid` as `loadRunConfig` does, and if the
 * options ask for a run other than the existing one.
 */
export async function clusterRun(folder: string, options: ClusterRunOptions): Promise<ClusterRun> {
  const { config: own, images, set, workers } = options;
  const configPath = join(folder, 'run.yaml');
  const settings: Setting[] = [...set, { option: `--workers is ${workers}`, sets: `workers.count=${workers}` }];
  if (existsSync(configPath)) {
    const asked = own ? '--config' : images ? '--images' : undefined;
    if (asked) {
      throw new FourfoldError('invalid', `${folder} already holds a run with its own config and photographs`, {
        hint: `omit ${asked} to resume it, or name another folder`,
      });
    }
    return { configPath, config: await loadRunConfig(configPath, settings) };
  }
  const cluster = Object.entries({ ...places, 'batches.from': 'nats' }).map(([key, value]) => `${key}=${value}`);
  const source = own ?? (await writeDemo(join(folder, 'demo.yaml'), images === undefined));
  const config = await loadRunConfig(source, [...settings, ...cluster]);
  return { configPath, config, images: images ?? join(examplePhotographs, 'train') };
}

/** Write the config for all parts, with every default: from now on the folder holds this run. */
export const writeClusterRun = ({ configPath, config }: ClusterRun): Promise<void> =>
  writeFile(configPath, stringify(config));

/** Write a config of the recipe `demo`, with frequent evaluations if the examples' held-out photographs exist. */
async function writeDemo(path: string, withExamples: boolean): Promise<string> {
  const validation = { images: join(examplePhotographs, 'held-out'), every: 250 };
  await writeFile(path, stringify({ recipe: 'demo', name: 'cluster', ...(withExamples && { validation }) }));
  return path;
}
