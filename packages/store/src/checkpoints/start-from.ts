import { isDeepStrictEqual } from 'node:util';
import { FourfoldError, type Logger, type Network } from '@fourfold/common';
import { openStore } from '../objects/object-store.js';
import { generatorOf, vectorFromSafetensors, type Layout } from '@fourfold/weights';
import { readCheckpointFile } from './checkpoint.js';
import { holdsManifest, openCheckpoint } from './checkpoint-source.js';

interface Place {
  store: string;
  layout: Layout;
  log: Logger;
}

/**
 * The generator, running averages included, that `config.startFrom` names: a run of the same store, the URL of a run or a
 * checkpoint, or a safetensors file, with PyTorch's names or fourfold's. Throws `not-found` or `corrupt`; `invalid` for an unfinished run, or networks of other sizes.
 */
export async function readStartingGenerator(startFrom: string, place: Place): Promise<Float32Array> {
  if (startFrom.endsWith('.safetensors')) return readGeneratorFile(startFrom, place);
  return readNetwork('startFrom', startFrom, 'generator', place);
}

/** The discriminator that `config.discriminatorFrom` names, as `startFrom` names a generator. Throws the same. */
export async function readStartingDiscriminator(from: string, place: Place): Promise<Float32Array> {
  if (!from.endsWith('.safetensors')) return readNetwork('discriminatorFrom', from, 'discriminator', place);
  const vector = vectorFromSafetensors(place.layout, await readFile(from), `discriminatorFrom: ${from}`);
  place.log.info({ event: 'started-from', file: from }, 'starting from a trained discriminator');
  return vector;
}

/** A network of a run's newest checkpoint, or of the named one. */
async function readNetwork(
  key: string,
  from: string,
  network: Network,
  { store, layout, log }: Place,
): Promise<Float32Array> {
  const url = from.includes('/') ? from : openStore(store).at(`runs/${from}`).url;
  const checkpoint = await openCheckpoint(url, (name, error) =>
    log.warn({ event: 'checkpoint-damaged', checkpoint: name, err: error }, 'skipping a damaged checkpoint'),
  );
  const { manifest } = checkpoint;
  if (!manifest.finished && !(await holdsManifest(openStore(url)))) {
    throw new FourfoldError(
      'invalid',
      `${key}: run ${manifest.run} is not finished, it is at iteration ${manifest.iteration}`,
      {
        hint: 'finish it, or name the folder of one of its checkpoints to start from that',
      },
    );
  }
  const file = `${network}.safetensors`;
  const bytes = await readCheckpointFile(checkpoint.store, manifest, file);
  log.info(
    { event: 'started-from', checkpoint: checkpoint.store.url, iteration: manifest.iteration },
    `starting from a trained ${network}`,
  );
  return vectorFromSafetensors(layout, bytes, `${checkpoint.store.url}/${file}`);
}

async function readGeneratorFile(url: string, { layout, log }: Place): Promise<Float32Array> {
  const { config, layout: found, vector } = generatorOf(await readFile(url), url);
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

function readFile(url: string): Promise<Buffer> {
  const cut = url.lastIndexOf('/');
  return openStore(url.slice(0, cut)).get(url.slice(cut + 1));
}
