import {
  describeError,
  FourfoldError,
  openStore,
  runSchema,
  type GeneratorConfig,
  type ObjectStore,
} from '@fourfold/common';
import {
  checkpointStore,
  newestWholeCheckpoint,
  readCheckpointFile,
  readManifest,
  type CheckpointManifest,
} from '@fourfold/coordinator';
import { discriminatorLayout, generatorLayout, type Layout } from '@fourfold/model/layout';
import { vectorFromSafetensors } from '@fourfold/model/weights-file';

/** A checkpoint whose manifest is read. */
export interface Checkpoint {
  /** Store of the checkpoint's folder. */
  store: ObjectStore;
  manifest: CheckpointManifest;
}

/** A generator's sizes, and its parameters and statistics in layout order. */
export interface GeneratorWeights {
  config: GeneratorConfig;
  layout: Layout;
  vector: Float32Array;
}

/**
 * The checkpoint that a URL names: a checkpoint's folder, or a run's, which stands for the newest whole checkpoint.
 * Throws `not-found` where there is none, `corrupt` where its manifest is damaged.
 */
export async function openCheckpoint(url: string): Promise<Checkpoint> {
  const store = openStore(url);
  if (await holdsManifest(store)) return { store, manifest: await readManifest(store) };
  const newest = await newestWholeCheckpoint(store, (name, error) => {
    console.error(`fourfold: passing over checkpoint ${name}: ${describeError(error)}`);
  });
  if (newest) return { store: checkpointStore(store, newest.name), manifest: newest.manifest };
  const files = await store.list('');
  const reason = files.some(({ key }) => /^[^/]+\.safetensors$/.test(key))
    ? 'it has no manifest.json, which is written last: it was not finished'
    : 'there is no manifest.json, and no checkpoints folder with one';
  throw new FourfoldError('not-found', `no checkpoint at ${store.url}: ${reason}`, {
    mend: "name a checkpoint's folder or a run's; `fourfold checkpoints ls` lists them",
  });
}

/** Whether a folder is itself a checkpoint's (or a dataset's), as its manifest says. */
export async function holdsManifest(store: ObjectStore): Promise<boolean> {
  return (await store.list('manifest.json')).some(({ key }) => key === 'manifest.json');
}

/**
 * A checkpoint's generator, its bytes checked against the manifest and its shapes against the run's config. Throws
 * `not-found`, `corrupt` or `invalid`.
 */
export async function readGenerator(checkpoint: Checkpoint): Promise<GeneratorWeights> {
  const { generator: config } = parseSizes(generatorSizes, checkpoint);
  const layout = generatorLayout(config);
  return { config, layout, vector: await readNetwork(checkpoint, layout) };
}

/** Check that every network of a checkpoint has the shapes that its config says. Throws as `readGenerator` does. */
export async function verifyNetworks(checkpoint: Checkpoint): Promise<void> {
  await readGenerator(checkpoint);
  if (checkpoint.manifest.files['discriminator.safetensors']) {
    const { discriminator, data } = parseSizes(discriminatorSizes, checkpoint);
    await readNetwork(checkpoint, discriminatorLayout(discriminator, data.crop));
  }
}

async function readNetwork({ store, manifest }: Checkpoint, layout: Layout): Promise<Float32Array> {
  const file = `${layout.network}.safetensors`;
  return vectorFromSafetensors(layout, await readCheckpointFile(store, manifest, file), `${store.url}/${file}`);
}

// Only the keys that decide a network's shapes are looked at: the others may be those of another version.
const generatorSizes = runSchema.pick({ generator: true }).strip();
const discriminatorSizes = runSchema.pick({ discriminator: true, data: true }).strip();

function parseSizes<T>(schema: { safeParse(raw: unknown): ParseResult<T> }, { store, manifest }: Checkpoint): T {
  const parsed = schema.safeParse(manifest.config);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new FourfoldError('corrupt', `${store.url}/manifest.json: config.${path.map(String).join('.')}: ${message}`, {
    mend: 'take another checkpoint of the run',
  });
}

type ParseResult<T> =
  { success: true; data: T } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } };
