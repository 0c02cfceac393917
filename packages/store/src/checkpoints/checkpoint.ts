import { createHash } from 'node:crypto';
import { setImmediate as otherWork } from 'node:timers/promises';
import { baseNameSchema, FourfoldError, type Network } from '@fourfold/common';
import { getJson, getVerified, isMissingOrCorrupt } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { putInTerm } from '../runs/term-put.js';
import { z } from '@fourfold/common/zod';
import { historySchema } from './history.js';
import { checkpointsInLineage, listTermStarts } from '../runs/lineage.js';

/*
 * A checkpoint is a folder `checkpoints/<iteration>-<term>/` in the run's store. The manifest is written last: a folder
 * without one is not a checkpoint.
 */

const manifestSchema = z.object({
  format: z.literal(1),
  run: z.string(),
  iteration: z.int(),
  /** Updates of each network; the discriminator is one ahead between the two halves of an iteration. */
  versions: z.object({ generator: z.int(), discriminator: z.int() }),
  /** The whole schedule is done. */
  finished: z.boolean(),
  term: z.int(),
  config: z.unknown(),
  seed: z.int(),
  datasetSha256: z.string(),
  workerKind: z.string(),
  history: historySchema,
  best: z.object({ iteration: z.int(), psnr: z.number() }).optional(),
  /** Of a blend of generators, which no run has trained: what it lies between. Its config is the last one's. */
  blend: z
    .array(z.object({ share: z.number(), run: z.string(), iteration: z.int(), generatorSha256: z.string() }))
    .optional(),
  createdAt: z.string(),
  files: z.record(baseNameSchema, z.object({ sizeBytes: z.int(), sha256: z.string() })),
});

export type CheckpointManifest = z.infer<typeof manifestSchema>;

/** A checkpoint whose manifest is read. */
export interface Checkpoint {
  /** Store of the checkpoint's folder. */
  store: ObjectStore;
  manifest: CheckpointManifest;
}

/** A checkpoint whose files were all read and match its manifest. */
export interface WholeCheckpoint {
  /** Of its folder. */
  url: string;
  manifest: CheckpointManifest;
  files: Record<string, Uint8Array>;
}

/** A manifest before its files are known. */
export type CheckpointFacts = Omit<CheckpointManifest, 'format' | 'createdAt' | 'files'>;

const folder = 'checkpoints/';
/** The generator's moving average, in checkpoints of runs that keep one. */
export const averageFile = 'generator-average.safetensors';
/** What workers held of a network, in checkpoints of runs whose parameters cross as deltas. */
export const viewFile = (network: Network): string => `${network}-view.safetensors`;
const manifestFile = 'manifest.json';

/** A checkpoint's name: its iteration and the term that wrote it. Names sort by age. */
export const checkpointName = (iteration: number, term: number): string =>
  `${String(iteration).padStart(8, '0')}-${String(term).padStart(4, '0')}`;
/** A folder with another name is somebody's copy. */
const isCheckpointName = (name: string): boolean => /^\d{8,}-\d{4,}$/.test(name);
/** Files that checkpoints may have, for those without a manifest. */
const checkpointFile = /^(generator|discriminator)(-adam|-average|-view)?\.safetensors$/;

/**
 * Write a checkpoint and return its name. `files` must not change meanwhile. `mayPublish` is awaited before the
 * manifest is put, and throws if this coordinator may no longer write. After an error the folder is removed if
 * possible, unless a successor may have resumed from it; older checkpoints are untouched.
 */
export async function writeCheckpoint(
  run: ObjectStore,
  facts: CheckpointFacts,
  files: Record<string, Uint8Array>,
  mayPublish: () => Promise<void>,
): Promise<string> {
  const name = checkpointName(facts.iteration, facts.term);
  const store = run.at(`${folder}${name}`);
  let mayBeThere = false;
  const mayPut = async () => {
    await mayPublish();
    mayBeThere = true;
  };
  try {
    const written = await putAll(store, files);
    const manifest: CheckpointManifest = { ...facts, format: 1, createdAt: new Date().toISOString(), files: written };
    await putInTerm(store, manifestFile, JSON.stringify(manifest, null, 1), mayPut);
    return name;
  } catch (cause) {
    // The put may have succeeded even if its answer was lost, and a successor may have resumed from it.
    const isOurs =
      !mayBeThere ||
      (await mayPublish().then(
        () => true,
        () => false,
      ));
    if (isOurs) await removeFiles(run, name, Object.keys(files)).catch(() => undefined);
    throw cause;
  }
}

/** Put the files at once, since a store may take long for each. Resolves when all are there; rejects when none is under way. */
async function putAll(store: ObjectStore, files: Record<string, Uint8Array>): Promise<CheckpointManifest['files']> {
  const written: CheckpointManifest['files'] = {};
  const puts: Promise<void>[] = [];
  for (const [file, body] of Object.entries(files)) {
    puts.push(store.put(file, body));
    // Awaited below; until then a failure must not count as unhandled.
    puts.at(-1)?.catch(() => undefined);
    written[file] = { sizeBytes: body.byteLength, sha256: await sha256InSlices(body) };
  }
  await Promise.allSettled(puts);
  await Promise.all(puts);
  return written;
}

/** About a millisecond's work. */
const sliceBytes = 1 << 20;

/** SHA-256 of a large body; between slices the process does other waiting work. */
async function sha256InSlices(body: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let begin = 0; begin < body.byteLength; begin += sliceBytes) {
    hash.update(body.subarray(begin, begin + sliceBytes));
    await otherWork();
  }
  return hash.digest('hex');
}

/** What a run's folder of checkpoints holds; names are oldest first. */
export interface CheckpointNames {
  /** The run's checkpoints: they have a manifest, and belong to its lineage. */
  valid: string[];
  /** Whole, but abandoned: a newer term resumed from an earlier checkpoint. */
  superseded: string[];
  /** Without a manifest: being written, or left by a coordinator that was killed. */
  unfinished: string[];
}

/** List a run's folder of checkpoints. */
export async function surveyCheckpoints(run: ObjectStore): Promise<CheckpointNames> {
  const [objects, starts] = await Promise.all([run.list(folder), listTermStarts(run)]);
  const files = objects.map(({ key }) => key.split('/')).filter(([, name]) => isCheckpointName(name));
  const whole = files.flatMap(([, name, file]) => (file === manifestFile ? [name] : []));
  const valid = checkpointsInLineage(whole, starts);
  const begun = [...new Set(files.flatMap(([, name, file]) => (file === undefined ? [] : [name])))];
  return {
    valid,
    superseded: whole.filter((name) => !valid.includes(name)),
    unfinished: begun.filter((name) => !whole.includes(name)),
  };
}

/** Names of the run's checkpoints that count, oldest first. */
export const listCheckpoints = async (run: ObjectStore): Promise<string[]> => (await surveyCheckpoints(run)).valid;

/** A checkpoint's manifest. Throws `not-found` or `corrupt`. `checkpoint` is the store of its folder. */
export async function readManifest(checkpoint: ObjectStore): Promise<CheckpointManifest> {
  const parsed = manifestSchema.safeParse(await getJson(checkpoint, manifestFile));
  if (!parsed.success) {
    throw new FourfoldError('corrupt', `${checkpoint.url}/${manifestFile} is not a checkpoint's manifest`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

/** One file of a checkpoint, checked against the manifest. Throws `not-found` or `corrupt`, naming the file. */
export async function readCheckpointFile(
  checkpoint: ObjectStore,
  manifest: CheckpointManifest,
  file: string,
): Promise<Buffer> {
  const expected = manifest.files[file];
  if (!expected) throw new FourfoldError('not-found', `checkpoint ${checkpoint.url} has no ${file}`);
  return getVerified(checkpoint, file, expected.sha256);
}

/** Read every file of a checkpoint and compare sizes and hashes. Throws `not-found` or `corrupt` at the first that differs. */
export async function verifyCheckpoint(checkpoint: ObjectStore): Promise<CheckpointManifest> {
  const manifest = await readManifest(checkpoint);
  for (const file of Object.keys(manifest.files)) await readCheckpointFile(checkpoint, manifest, file);
  return manifest;
}

/** Read all of a checkpoint. Throws as `verifyCheckpoint` does. */
async function readCheckpoint(checkpoint: ObjectStore): Promise<WholeCheckpoint> {
  const manifest = await readManifest(checkpoint);
  const files: WholeCheckpoint['files'] = {};
  for (const file of Object.keys(manifest.files)) files[file] = await readCheckpointFile(checkpoint, manifest, file);
  return { url: checkpoint.url, manifest, files };
}

/** The store of one of a run's checkpoints. */
export const checkpointStore = (run: ObjectStore, name: string): ObjectStore => run.at(`${folder}${name}`);

/**
 * The newest checkpoint whose files are all present and undamaged, with its files; `onDamaged` is called for each that
 * is skipped. Undefined if the run has no checkpoint; throws the oldest one's error if all are damaged, and any error
 * other than damage at once.
 */
export async function newestWholeCheckpoint(
  run: ObjectStore,
  onDamaged: (name: string, error: unknown) => void,
): Promise<(WholeCheckpoint & { name: string }) | undefined> {
  const names = (await listCheckpoints(run)).reverse();
  for (const [age, name] of names.entries()) {
    try {
      return { name, ...(await readCheckpoint(checkpointStore(run, name))) };
    } catch (error) {
      // An unreachable store says nothing about the checkpoint: resuming from an older one would lose work.
      if (age === names.length - 1 || !isMissingOrCorrupt(error)) throw error;
      onDamaged(name, error);
    }
  }
  return undefined;
}

/**
 * Remove a checkpoint, its manifest first, so that it never looks complete with files missing. Other files in its folder,
 * such as an exported model, stay.
 */
export async function removeCheckpoint(run: ObjectStore, name: string): Promise<void> {
  const manifest = await readManifest(checkpointStore(run, name)).catch(() => undefined);
  await removeFiles(run, name, Object.keys(manifest?.files ?? {}));
}

async function removeFiles(run: ObjectStore, name: string, files: readonly string[]): Promise<void> {
  const place = `${folder}${name}/`;
  await run.remove(`${place}${manifestFile}`);
  for (const { key } of await run.list(place)) {
    const file = key.slice(place.length);
    if (files.includes(file) || checkpointFile.test(file)) await run.remove(key);
  }
  await run.tidyFolder(`${folder}${name}`);
}
