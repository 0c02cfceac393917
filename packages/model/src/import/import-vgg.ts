import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { FourfoldError, readGivenFile, sha256 } from '@fourfold/common';
import {
  vggLayout,
  type TensorPlace,
  decodeSafetensors,
  type NamedArray,
  preprocessingKey,
  type VggPreprocessing,
  safetensorsFromVector,
  vggFromTensors,
  torchvisionName,
} from '@fourfold/weights';
import { isHdf5File, readKerasFile } from './keras-file.js';
import { isNpyFile, readNpyFile } from './npy-file.js';
import { isTorchLegacy, isTorchZip, readTorchLegacy, readTorchZip } from './torch-file.js';

/** An imported file of VGG19 weights. */
export interface ImportedVgg {
  /** Description of the file's format. */
  format: string;
  preprocessing: VggPreprocessing;
  /** SHA-256 of the source file. */
  sourceSha256: string;
  /** The convolutions as safetensors, with this package's names, filters HWIO, for RGB. */
  safetensors: Uint8Array<ArrayBuffer>;
}

interface Source {
  format: string;
  preprocessing: VggPreprocessing;
  /** With this package's names or torchvision's. */
  tensors: NamedArray[];
  /** Input channels of the first filter are blue, green, red. */
  isBgr: boolean;
}

const layout = vggLayout('vgg54');
const layers = new Set(layout.tensors.map(({ name }) => name.split('/')[0]));
const torchvisionNames = new Set(layout.tensors.map(({ name }) => torchvisionName(name)));

/**
 * Read VGG19's convolutions from one of the common files: `vgg19.npy`, Keras's HDF5, torchvision's `.pth` of any age, safetensors.
 * No pickle is executed. Throws `invalid` for any other file, or for another network, naming the first tensor that differs;
 * `corrupt` for a damaged file.
 */
export async function importVgg(path: string): Promise<ImportedVgg> {
  const bytes = await readGivenFile(path);
  const sourceSha256 = sha256(bytes);
  checkPublishedHash(path, bytes, sourceSha256);
  const { format, preprocessing, tensors, isBgr } = await readSource(bytes, path);
  const vector = vggFromTensors('vgg54', tensors, path);
  const bad = layout.tensors.find(
    ({ offset, sizeElements }) => !vector.subarray(offset, offset + sizeElements).every(Number.isFinite),
  );
  if (bad) throw new FourfoldError('corrupt', `${path} is damaged: ${bad.name} holds a number that is not finite`);
  if (isBgr) reverseInputChannels(vector, layout.tensors[0]);
  const metadata = { [preprocessingKey]: preprocessing, source: format, sourceSha256 };
  return { format, preprocessing, sourceSha256, safetensors: safetensorsFromVector(layout, vector, metadata) };
}

async function readSource(bytes: Buffer, path: string): Promise<Source> {
  const fromTorch = (format: string, tensors: NamedArray[]): Source => ({
    format,
    preprocessing: 'imagenet',
    tensors,
    isBgr: false,
  });
  if (isNpyFile(bytes)) {
    const tensors = readNpyFile(bytes, path, (layer) => layers.has(layer));
    return { format: 'NumPy dictionary (Caffe’s VGG19)', preprocessing: 'caffe', tensors, isBgr: true };
  }
  if (isHdf5File(bytes)) {
    const tensors = await readKerasFile(path, path, (layer) => kerasLayer.test(layer));
    const named = tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace(kerasLayer, 'conv$1_$2') }));
    return { format: 'Keras HDF5', preprocessing: 'caffe', tensors: named, isBgr: true };
  }
  const wanted = (name: string) => torchvisionNames.has(name);
  if (isTorchZip(bytes)) return fromTorch('PyTorch state_dict', await readTorchZip(bytes, path, wanted));
  if (isTorchLegacy(bytes)) return fromTorch('PyTorch state_dict (before 1.6)', readTorchLegacy(bytes, path, wanted));
  if (looksLikeSafetensors(bytes)) {
    const { tensors, metadata } = decodeSafetensors(bytes, path);
    const preprocessing = metadata[preprocessingKey] === 'caffe' ? 'caffe' : 'imagenet';
    return { format: 'safetensors', preprocessing, tensors, isBgr: false };
  }
  throw new FourfoldError('invalid', `${path} is not a file of VGG19 weights in a known format`, {
    hint: 'use vgg19.npy, Keras’s vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5, torchvision’s vgg19-dcbb9e9d.pth or safetensors',
  });
}

/** `block1_conv2`: the same in every version of Keras. */
const kerasLayer = /^block(\d)_conv(\d)/;

/** A header's length, and a brace. */
const looksLikeSafetensors = (bytes: Buffer): boolean => bytes.length > 9 && bytes[8] === 0x7b;

/** Name and MD5 of Keras's own download (`keras/src/applications/vgg19.py`). */
const kerasFile = 'vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5';
const kerasMd5 = '253f8cb515780f3b799900260a226db6';

/**
 * The hashes of two published files follow from their names: PyTorch's contain the beginning of their SHA-256, and Keras's MD5 is
 * known. Of the formats only the zip has its own checksums. Throws `corrupt` if the hash differs.
 */
function checkPublishedHash(path: string, bytes: Buffer, hash: string): void {
  const inName = /-([0-9a-f]{8})\.pth$/.exec(path)?.[1];
  const isOther =
    basename(path) === kerasFile
      ? createHash('md5').update(bytes).digest('hex') !== kerasMd5
      : inName !== undefined && !hash.startsWith(inName);
  if (!isOther) return;
  const reason = inName
    ? `its SHA-256 begins with ${hash.slice(0, 8)}, but its name says ${inName}`
    : 'its MD5 is not that of Keras’s file';
  throw new FourfoldError('corrupt', `${path} is damaged: ${reason}`, {
    hint: 'fetch the file again, or rename it if it is not the published one',
  });
}

/** BGR to RGB, in place, for a HWIO filter with three inputs. */
function reverseInputChannels(
  vector: Float32Array,
  { offset, sizeElements, shape: [, , inputs, outputs] }: TensorPlace,
): void {
  const filter = vector.subarray(offset, offset + sizeElements);
  const original = filter.slice();
  for (let at = 0; at < sizeElements; at += outputs) {
    const row = at / outputs;
    const input = row % inputs;
    const from = (row - input + (inputs - 1 - input)) * outputs;
    filter.set(original.subarray(from, from + outputs), at);
  }
}
