import type { WriteStream } from 'node:fs';
import { startPart } from '../train/child.js';
import { endError } from '../train/part-end.js';
import { places } from './cluster-config.js';

/** Larger pictures are cut, so that a crop does not cost the decoding of all of it. */
const tilePixels = 480;

/**
 * `fourfold prepare` into the cluster's MinIO, as a process of its own: Node.js takes an authority's certificate from the
 * environment when it starts, and not later. Rejects with what it failed with, or with the signal's reason.
 */
export async function prepareImages(
  images: string,
  environment: Record<string, string>,
  logFile: WriteStream,
  signal: AbortSignal,
): Promise<void> {
  const args = ['--images', images, '--out', places.dataset, '--tile', String(tilePixels)];
  const { process, exit } = startPart('prepare', args, environment, logFile, () => undefined);
  const stop = () => process.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  const end = await exit;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (end.code !== 0) throw endError(end);
}
