import { availableParallelism } from 'node:os';
import { chunkElements, FourfoldError, type ObjectStore, type RunConfig } from '@fourfold/common';
import { initialVector } from '@fourfold/model/initial-parameters';
import { discriminatorLayout, generatorLayout, type Layout } from '@fourfold/model/layout';
import { decodeSafetensors, encodeSafetensors } from '@fourfold/model/safetensors';
import { safetensorsFromVector, vectorFromSafetensors } from '@fourfold/model/weights-file';
import { readCheckpointFile, type CheckpointManifest } from './checkpoint.js';
import type { Network, Versions } from './schedule.js';
import { createUpdater, type MasterState, type Updater } from './updater.js';

const maxUpdateThreads = 4;

/** Master weights, Adam state and running averages of the networks that a run trains. */
export interface Master {
  readonly networks: readonly Network[];
  readonly updater: Updater;
  /** Updates of each network so far. */
  versions(): Versions;
  layout(network: Network): Layout;
  state(network: Network): MasterState;
  /** Apply the reduced sum as the network's next update. */
  update(network: Network, learningRate: number): Promise<void>;
  /** The vector at `version` while that is the newest, or is kept by `retainGenerator`. */
  serve(network: Network, version: number): { vector: Float32Array; stillValid: () => boolean } | undefined;
  /** Keep a copy of the generator as it is, until the next one is kept; for an evaluation beside training. */
  retainGenerator(): void;
  /** Start from a checkpoint's state. Throws `invalid` where its shapes differ, `corrupt` where it is damaged. */
  restore(checkpoint: ObjectStore, manifest: CheckpointManifest): Promise<void>;
  /** Encoders of a checkpoint's files. */
  files(): Record<string, () => Uint8Array>;
  close(): Promise<void>;
}

/** Layouts of the networks that a run trains: the discriminator only where a `gan` phase needs it. */
export function runLayouts(config: RunConfig): Partial<Record<Network, Layout>> & { generator: Layout } {
  const hasGan = config.phases.some(({ kind }) => kind === 'gan');
  return {
    generator: generatorLayout(config.generator),
    ...(hasGan && { discriminator: discriminatorLayout(config.discriminator, config.data.crop) }),
  };
}

/** The master state of a run's first iteration: weights from the seed, moments zero. */
export function createMaster(config: RunConfig): Master {
  const layouts = runLayouts(config);
  const networks = Object.keys(layouts) as Network[];
  const versions: Versions = { generator: 0, discriminator: 0 };
  const updating = new Set<Network>();
  let retained: { version: number; vector: Float32Array } | undefined;

  const layout = (network: Network): Layout => {
    const found = layouts[network];
    if (!found) throw new Error(`this run trains no ${network}`);
    return found;
  };
  const updater = createUpdater(
    networks.map(layout),
    Math.min(maxUpdateThreads, availableParallelism()),
    chunkElements,
  );
  const state = (network: Network) => updater.states[networks.indexOf(network)];
  for (const network of networks) state(network).vector.set(initialVector(layout(network), config.seed));

  return {
    networks,
    updater,
    versions: () => ({ ...versions }),
    layout,
    state,
    async update(network, learningRate) {
      updating.add(network);
      const step = versions[network] + 1;
      await updater.apply(state(network), { replicas: config.data.replicas, learningRate, step, adam: config.adam });
      versions[network] = step;
      updating.delete(network);
    },
    serve(network, version) {
      if (network === 'generator' && version === retained?.version) {
        return { vector: retained.vector, stillValid: () => true };
      }
      const stillValid = () => versions[network] === version && !updating.has(network);
      return networks.includes(network) && stillValid() ? { vector: state(network).vector, stillValid } : undefined;
    },
    retainGenerator() {
      retained = { version: versions.generator, vector: state('generator').vector.slice() };
    },
    async restore(checkpoint, manifest) {
      for (const network of networks) {
        const { vector, firstMoments, secondMoments } = state(network);
        // A run whose config gained a `gan` phase starts its discriminator from the seed.
        if (network === 'discriminator' && !manifest.files['discriminator.safetensors']) continue;
        const weights = await readCheckpointFile(checkpoint, manifest, `${network}.safetensors`);
        vector.set(vectorFromSafetensors(layout(network), weights, `${checkpoint.url}/${network}.safetensors`));
        const moments = await readCheckpointFile(checkpoint, manifest, `${network}-adam.safetensors`);
        const what = `${checkpoint.url}/${network}-adam.safetensors`;
        const { tensors } = decodeSafetensors(moments, what);
        for (const [name, target] of Object.entries({ first_moments: firstMoments, second_moments: secondMoments })) {
          const found = tensors.find((tensor) => tensor.name === name);
          if (found?.data.length !== target.length) {
            throw new FourfoldError('invalid', `${what} does not hold ${target.length} ${name}`);
          }
          target.set(found.data);
        }
      }
      Object.assign(versions, manifest.versions);
    },
    files: () =>
      Object.fromEntries(
        networks.flatMap((network) => {
          const metadata = { format: 'fourfold', network };
          const { vector, firstMoments, secondMoments } = state(network);
          const moments = [
            { name: 'first_moments', shape: [firstMoments.length], data: firstMoments },
            { name: 'second_moments', shape: [secondMoments.length], data: secondMoments },
          ];
          return [
            [`${network}.safetensors`, () => safetensorsFromVector(layout(network), vector, metadata)],
            [`${network}-adam.safetensors`, () => encodeSafetensors(moments, metadata)],
          ];
        }),
      ),
    close: () => updater.close(),
  };
}
