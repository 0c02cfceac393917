import { basename } from 'node:path';
import { FourfoldError, runSchema } from '@fourfold/common';
import { openStore, isMissingOrCorrupt } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import {
  averageFile,
  checkpointStore,
  listCheckpoints,
  readCheckpointFile,
  readManifest,
  verifyCheckpoint,
  type Checkpoint,
} from './checkpoint.js';
import { listStore } from './checkpoint-list.js';
import {
  discriminatorLayout,
  generatorLayout,
  type GeneratorWeights,
  type Layout,
  vectorFromSafetensors,
} from '@fourfold/weights';

/**
 * The checkpoint that a URL names: a checkpoint's folder, or one that holds it as `checkpoint`; a run's, or RUN/latest, for the newest
 * whole checkpoint; RUN/best for the best by the run's `checkpoints.bestBy`, which is PSNR unless set. Throws `not-found` if there is none, `corrupt` if it is damaged.
 */
export const openCheckpoint = (url: string, onDamaged: OnDamaged): Promise<Checkpoint> =>
  withCheckpoint(url, onDamaged, async (checkpoint, isSearched) => {
    if (isSearched) await verifyCheckpoint(checkpoint.store);
    return checkpoint;
  });

/** Called for each damaged checkpoint that is skipped. */
export type OnDamaged = (name: string, error: unknown) => void;

/**
 * Use the checkpoint that a URL names, as for `openCheckpoint`. `isSearched` says that it was looked up in a run: if it
 * then turns out to be damaged, the one before it is used.
 */
export async function withCheckpoint<T>(
  url: string,
  onDamaged: OnDamaged,
  use: (checkpoint: Checkpoint, isSearched: boolean) => Promise<T>,
): Promise<T> {
  const exact = openStore(url);
  for (const store of [exact, exact.at('checkpoint')]) {
    if (await holdsManifest(store)) return use({ store, manifest: await readManifest(store) }, false);
  }
  const stores = await searchRun(url);
  for (const [i, store] of stores.entries()) {
    try {
      return await use({ store, manifest: await readManifest(store) }, true);
    } catch (error) {
      if (!isMissingOrCorrupt(error) || i === stores.length - 1) throw error;
      onDamaged(basename(store.url), error);
    }
  }
  throw new Error('a run without checkpoints was searched');
}

/** The checkpoints that a run's URL, RUN/latest or RUN/best may mean, best candidate first; at least one. */
async function searchRun(url: string): Promise<ObjectStore[]> {
  const [, base = url, wanted] = /^(.+)\/(latest|best)\/*$/.exec(url) ?? [];
  const run = openStore(base);
  const names = (await listCheckpoints(run)).reverse();
  if (names.length === 0) throw await noCheckpoint(run);
  if (wanted !== 'best') return names.map((name) => checkpointStore(run, name));
  const best = (await listStore(run)).reduce<{ name: string; rank: number } | undefined>((best, next) => {
    const rank = 'rank' in next ? next.rank : undefined;
    return rank === undefined || (best && best.rank >= rank) ? best : { name: next.name, rank };
  }, undefined);
  if (best) return [checkpointStore(run, best.name)];
  throw new FourfoldError('not-found', `no checkpoint of ${run.url} has been evaluated: none is the best`, {
    hint: `take ${base}/latest`,
  });
}

async function noCheckpoint(store: ObjectStore): Promise<FourfoldError> {
  const files = await store.list('');
  const reason = files.some(({ key }) => /^[^/]+\.safetensors$/.test(key))
    ? 'it has no manifest.json, which is written last: it was not finished'
    : 'there is no manifest.json, and no checkpoints folder with one';
  return new FourfoldError('not-found', `no checkpoint at ${store.url}: ${reason}`, {
    hint: "name a checkpoint's folder or a run's; `fourfold checkpoints ls` lists them",
  });
}

/** Whether a folder holds a manifest, so that it is itself a checkpoint's (or a dataset's). */
export async function holdsManifest(store: ObjectStore): Promise<boolean> {
  return (await store.list('manifest.json')).some(({ key }) => key === 'manifest.json');
}

/**
 * A checkpoint's generator, or its moving average if the run kept one. Its bytes are checked against the manifest, its
 * shapes against the run's config. Throws `not-found`, `corrupt` or `invalid`.
 */
export async function readGenerator(checkpoint: Checkpoint): Promise<GeneratorWeights> {
  const { generator: config } = parseSizes(generatorSizes, checkpoint);
  const layout = generatorLayout(config);
  const file = checkpoint.manifest.files[averageFile] ? averageFile : undefined;
  return { config, layout, vector: await readNetwork(checkpoint, layout, file) };
}

/** Check that every network of a checkpoint has the shapes of its config. Throws as `readGenerator` does. */
export async function verifyNetworks(checkpoint: Checkpoint): Promise<void> {
  const { layout } = await readGenerator(checkpoint);
  await readNetwork(checkpoint, layout);
  if (checkpoint.manifest.files['discriminator.safetensors']) {
    const { discriminator, data } = parseSizes(discriminatorSizes, checkpoint);
    await readNetwork(checkpoint, discriminatorLayout(discriminator, data.crop));
  }
}

async function readNetwork(
  { store, manifest }: Checkpoint,
  layout: Layout,
  file = `${layout.network}.safetensors`,
): Promise<Float32Array> {
  return vectorFromSafetensors(layout, await readCheckpointFile(store, manifest, file), `${store.url}/${file}`);
}

// Only the keys that decide a network's shapes are checked: the others may be another version's.
const generatorSizes = runSchema.pick({ generator: true }).strip();
const discriminatorSizes = runSchema.pick({ discriminator: true, data: true }).strip();

function parseSizes<T>(schema: { safeParse(raw: unknown): ParseResult<T> }, { store, manifest }: Checkpoint): T {
  const parsed = schema.safeParse(manifest.config);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new FourfoldError('corrupt', `${store.url}/manifest.json: config.${path.map(String).join('.')}: ${message}`, {
    hint: 'use another checkpoint of the run',
  });
}

type ParseResult<T> =
  { success: true; data: T } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } };
