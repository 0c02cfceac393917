import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchGenerator, isWebUrl } from './fetched.js';
import { generatorOf, type GeneratorWeights } from '@fourfold/weights';
import type { ModelSource } from './types.js';

/** A generator from where a program says that it is. */
export async function readPlace(source: ModelSource, signal?: AbortSignal): Promise<GeneratorWeights> {
  if (source instanceof Uint8Array) return generatorOf(source, 'the model’s bytes');
  if (source instanceof ArrayBuffer) return generatorOf(new Uint8Array(source), 'the model’s bytes');
  const place = String(source);
  if (isWebUrl(place)) return fetchGenerator(place, signal);
  if (place.startsWith('s3:')) return readCheckpoint(place);
  const path = place.startsWith('file:') ? fileURLToPath(place) : place;
  if (await isFile(path)) return generatorOf(await readFile(path), path);
  const file = join(path, 'generator.safetensors');
  // An exported model has no manifest; an unfinished checkpoint, which has none either, has no model card.
  const isExported = (await isFile(file)) && (await isFile(join(path, 'generator.py')));
  return isExported ? generatorOf(await readFile(file), file) : readCheckpoint(path);
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** A checkpoint's generator; of a run, the newest whole checkpoint's. */
async function readCheckpoint(url: string): Promise<GeneratorWeights> {
  const { openCheckpoint, readGenerator } = await import('@fourfold/store');
  return readGenerator(await openCheckpoint(url, () => undefined));
}
