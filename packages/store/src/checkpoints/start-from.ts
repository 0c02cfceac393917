import { isDeepStrictEqual } from 'node:util';
import { FourfoldError, type Logger, type RunConfig } from '@fourfold/common';
import { openStore } from '../objects/object-store.js';
import { generatorOf, vectorFromSafetensors, type Layout } from '@fourfold/weights';
import { readCheckpointFile } from './checkpoint.js';
import { holdsManifest, openCheckpoint } from './checkpoint-source.js';

/**
 * The generator, running averages included, that `config.startFrom` names: a run of the same store, the URL of a run or a
 * checkpoint, or a safetensors file, with PyTorch's names or fourfold's. Throws `not-found` or `corrupt`; `invalid` for an unfinished run, or networks of other sizes.
 */
export async function readStartingGenerator(
  { startFrom, store }: Required<Pick<RunConfig, 'startFrom' | 'store'>>,
  layout: Layout,
  log: Logger,
): Promise<Float32Array> {
  if (startFrom.endsWith('.safetensors')) return readGeneratorFile(startFrom, layout, log);
  const url = startFrom.includes('/') ? startFrom : openStore(store).at(`runs/${startFrom}`).url;
  const checkpoint = await openCheckpoint(url, (name, error) =>
    log.warn({ event: 'checkpoint-damaged', checkpoint: name, err: error }, 'skipping a damaged checkpoint'),
  );
  const { manifest } = checkpoint;
  if (!manifest.finished && !(await holdsManifest(openStore(url)))) {
    throw new FourfoldError(
      'invalid',
      `startFrom: run ${manifest.run} is not finished, it is at iteration ${manifest.iteration}`,
      {
        hint: 'finish it, or name the folder of one of its checkpoints to start from that',
      },
    );
  }
  const file = 'generator.safetensors';
  const bytes = await readCheckpointFile(checkpoint.store, manifest, file);
  log.info(
    { event: 'started-from', checkpoint: checkpoint.store.url, iteration: manifest.iteration },
    'starting from a trained generator',
  );
  return vectorFromSafetensors(layout, bytes, `${checkpoint.store.url}/${file}`);
}

async function readGeneratorFile(url: string, layout: Layout, log: Logger): Promise<Float32Array> {
  const cut = url.lastIndexOf('/');
  const bytes = await openStore(url.slice(0, cut)).get(url.slice(cut + 1));
  const { config, layout: found, vector } = generatorOf(bytes, url);
  if (!isDeepStrictEqual(found, layout)) {
    throw new FourfoldError(
      'invalid',
      `startFrom: ${url} has ${config.channels} channels and ${config.blocks} blocks`,
      {
        hint: 'set generator.channels and generator.blocks to these, or name another generator',
      },
    );
  }
  log.info({ event: 'started-from', file: url }, 'starting from a trained generator');
  return vector;
}
