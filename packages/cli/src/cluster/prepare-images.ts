import type { WriteStream } from 'node:fs';
import { startPart } from '../train/child.js';
import { endError } from '../train/part-end.js';
import { places } from './cluster-config.js';

/** Larger pictures are cut into tiles, so that a crop does not need a whole picture decoded. */
const tilePixels = 480;

/**
 * Run `fourfold prepare` into the cluster's MinIO, as a separate process: Node.js reads an authority's certificate from the
 * environment only at its start. Rejects with the process's error, or with the signal's reason.
 */
export async function prepareImages(
  images: string,
  environment: Record<string, string>,
  logFile: WriteStream,
  signal: AbortSignal,
): Promise<void> {
  const args = ['--images', images, '--out', places.dataset, '--tile', String(tilePixels)];
  const { process, exit } = startPart('prepare', args, { environment }, logFile, () => undefined);
  const stop = () => process.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  const end = await exit;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (end.code !== 0) throw endError(end);
}
