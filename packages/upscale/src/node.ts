import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { FourfoldError, systemErrorCode } from '@fourfold/common/basics';
import { decodePicture, withName } from '@fourfold/imaging';
import { fetchBytes, isWebUrl } from './fetched.js';
import { backendStarter, createModel, type Open } from './model.js';
import { readPlace } from './place.js';
import type { Model, ModelSource, ReadModelOptions } from './types.js';

/**
 * Read a trained generator and put it on a backend. Throws an error whose message names what is wrong, and whose `options.hint` says
 * what to do about it.
 */
export async function readModel(source: ModelSource, options: ReadModelOptions = {}): Promise<Model> {
  const weights = await readPlace(source, options.signal);
  return createModel(weights, await backendFor(options), open);
}

/** The backend of this thread. */
const backendFor = backendStarter(
  async ({ backend = 'auto', threads = availableParallelism() }: ReadModelOptions): Promise<string> => {
    const { selectBackend } = await import('@fourfold/model');
    return (await selectBackend({ backend, device: 'auto', precision: 'f32', threads })).backend;
  },
);

const open: Open = async (source, signal) => {
  if (source instanceof Blob) return async () => decodePicture(new Uint8Array(await source.arrayBuffer()));
  if (source instanceof Uint8Array) return () => decodePicture(source);
  if (source instanceof ArrayBuffer) return () => decodePicture(new Uint8Array(source));
  const place = String(source);
  if (!isWebUrl(place)) return async () => withName(place, decodePicture(await readPictureFile(place, signal)));
  const bytes = await fetchBytes(place, signal);
  return () => withName(place, decodePicture(bytes));
};

async function readPictureFile(place: string, signal?: AbortSignal): Promise<Uint8Array> {
  const path = place.startsWith('file:') ? fileURLToPath(place) : place;
  try {
    return await readFile(path, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    const isMissing = systemErrorCode(cause) === 'ENOENT';
    throw new FourfoldError(isMissing ? 'not-found' : 'invalid', `${path} cannot be read`, { cause });
  }
}
