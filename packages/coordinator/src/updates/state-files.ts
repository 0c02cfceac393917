import { FourfoldError, type Network } from '@fourfold/common';
import { decodeSafetensors, encodeSafetensorsHead, vectorFromSafetensors, type Layout } from '@fourfold/weights';
import { averageFile, viewFile, type WholeCheckpoint } from '@fourfold/store';
import type { MasterState, StateCopy } from './types.js';

/** A file of a checkpoint: what stands before its data, and the vectors that are its data. */
export interface StateFile {
  name: string;
  head: Uint8Array;
  vectors: Float32Array[];
}

/** The files of one network's state in a checkpoint. */
export function stateFiles(
  network: Network,
  layout: Layout,
  { vector, average, firstMoments, secondMoments, view }: StateCopy,
): StateFile[] {
  const metadata = { format: 'fourfold', network };
  const head = encodeSafetensorsHead(layout.tensors, metadata);
  const sizeElements = layout.parameterCount;
  const moments = ['first_moments', 'second_moments'].map((name) => ({ name, shape: [sizeElements], sizeElements }));
  return [
    { name: `${network}.safetensors`, head, vectors: [vector] },
    ...(average ? [{ name: averageFile, head, vectors: [average] }] : []),
    ...(view ? [{ name: viewFile(network), head, vectors: [view.vector] }] : []),
    {
      name: `${network}-adam.safetensors`,
      head: encodeSafetensorsHead(moments, metadata),
      vectors: [firstMoments, secondMoments],
    },
  ];
}

/** Set one network's state from a checkpoint. */
export function restoreNetwork(
  { url, manifest, files }: WholeCheckpoint,
  network: Network,
  layout: Layout,
  { vector, average, firstMoments, secondMoments, view }: MasterState,
): void {
  // A run whose config gained a `gan` phase starts its discriminator from the seed.
  if (network === 'discriminator' && !manifest.files['discriminator.safetensors']) return;
  const read = (file: string): [bytes: Uint8Array, what: string] => {
    if (!files[file]) throw new FourfoldError('not-found', `checkpoint ${url} has no ${file}`);
    return [files[file], `${url}/${file}`];
  };
  vector.set(vectorFromSafetensors(layout, ...read(`${network}.safetensors`)));
  // An average that the config has gained begins with the current generator.
  average?.set(files[averageFile] ? vectorFromSafetensors(layout, ...read(averageFile)) : vector);
  // Workers pull what they hold anew: without a view in the checkpoint that is the master's vector.
  const held = viewFile(network);
  view?.vector.set(files[held] ? vectorFromSafetensors(layout, ...read(held)) : vector);
  const [moments, what] = read(`${network}-adam.safetensors`);
  const { tensors } = decodeSafetensors(moments, what);
  for (const [name, target] of Object.entries({ first_moments: firstMoments, second_moments: secondMoments })) {
    const found = tensors.find((tensor) => tensor.name === name);
    if (found?.data.length !== target.length) {
      throw new FourfoldError('invalid', `${what} does not hold ${target.length} ${name}`);
    }
    target.set(found.data);
  }
}
