import { FourfoldError } from '@fourfold/common/basics';
import { oihwToHwio } from './filters.js';
import { featureNetworkNames, torchvisionName } from './feature-networks.js';
import type { FeatureNetwork, Layout, TensorPlace } from './layout.js';
import { decodeSafetensors, encodeSafetensors, type NamedArray } from './safetensors.js';
import { preprocessingKey, type VggPreprocessing } from './vgg-preprocessing.js';

/** A network's flat vector, statistics included, as a safetensors file. */
export function safetensorsFromVector(
  layout: Layout,
  vector: Float32Array,
  metadata: Record<string, string>,
): Uint8Array<ArrayBuffer> {
  const tensors = layout.tensors.map(({ name, shape, offset, sizeElements }) => ({
    name,
    shape,
    data: vector.subarray(offset, offset + sizeElements),
  }));
  return encodeSafetensors(tensors, metadata);
}

/**
 * The flat vector of a network from a safetensors file that holds exactly the layout's tensors, in any order. `what`
 * names the file in errors. Throws `invalid` naming the first tensor that is missing, has another shape or is unknown.
 */
export function vectorFromSafetensors(layout: Layout, bytes: Uint8Array, what: string): Float32Array<ArrayBuffer> {
  const found = byName(decodeSafetensors(bytes, what).tensors);
  const vector = new Float32Array(layout.length);
  for (const place of layout.tensors) {
    vector.set(expectTensor(found, place.name, place.shape, layout, what), place.offset);
    found.delete(place.name);
  }
  for (const name of found.keys()) {
    throw mismatch(layout, what, `it holds ${name}, which the configured ${layout.network} does not have`);
  }
  return vector;
}

/** The weights of a feature network, as in a safetensors file. */
export interface FeatureWeights {
  vector: Float32Array<ArrayBuffer>;
  preprocessing: VggPreprocessing;
}

/**
 * A feature network's weights, in its layout, from a safetensors file that `fourfold vgg import` wrote, or one with torchvision's
 * names (such as torchvision's and timm's vgg19). Throws `invalid` naming the first tensor that is missing or has another shape.
 */
export function featureWeights(layout: Layout, bytes: Uint8Array, what: string): FeatureWeights {
  const { tensors, metadata } = decodeSafetensors(bytes, what);
  const preprocessing = metadata[preprocessingKey] === 'caffe' ? 'caffe' : 'imagenet';
  return { vector: featuresFromTensors(layout, tensors, what), preprocessing };
}

/**
 * A feature network's weights as a flat vector, from tensors with torchvision's names and OIHW filters (`features.0.weight`) or
 * with this package's. Tensors of deeper layers are ignored. Throws `invalid` if they are of the other VGG, or naming the first tensor
 * that is missing or has another shape.
 */
export function featuresFromTensors(layout: Layout, tensors: NamedArray[], what: string): Float32Array<ArrayBuffer> {
  const network = layout.network as FeatureNetwork;
  const found = byName(tensors);
  const isTorchvision = found.has('features.0.weight');
  const other = network === 'alexnet' ? undefined : vggOf(found);
  if (other && other !== network) throw mismatch(layout, what, `it is ${featureNetworkNames[other]}`);
  const vector = new Float32Array(layout.length);
  for (const { name, shape, offset } of layout.tensors) {
    if (!isTorchvision) {
      vector.set(expectTensor(found, name, shape, layout, what), offset);
    } else if (shape.length === 1) {
      vector.set(expectTensor(found, torchvisionName(network, name), shape, layout, what), offset);
    } else {
      const oihw = [shape[3], shape[2], shape[0], shape[1]];
      const values = expectTensor(found, torchvisionName(network, name), oihw, layout, what);
      vector.set(oihwToHwio(values, shape), offset);
    }
  }
  return vector;
}

/**
 * Which VGG tensors of these names are of, by this package's names or torchvision's: VGG19 has all tensors of VGG16, in the same shapes,
 * and a fourth convolution in its third group. undefined if the third convolution is missing.
 */
export function vggOf(names: { has(name: string): boolean }): 'vgg16' | 'vgg19' | undefined {
  if (!names.has('conv3_3/filter') && !names.has('features.14.weight')) return undefined;
  return names.has('conv3_4/filter') || names.has('features.16.weight') ? 'vgg19' : 'vgg16';
}

const byName = (tensors: NamedArray[]) => new Map(tensors.map((tensor) => [tensor.name, tensor]));

function expectTensor(
  found: Map<string, NamedArray>,
  name: string,
  shape: TensorPlace['shape'],
  layout: Layout,
  what: string,
): Float32Array {
  const tensor = found.get(name);
  if (!tensor) throw mismatch(layout, what, `${name} is missing`);
  if (tensor.shape.join() !== shape.join()) {
    throw mismatch(layout, what, `${name} is ${tensor.shape.join(' x ')}, not ${shape.join(' x ')}`);
  }
  const wanted = shape.reduce((product, side) => product * side, 1);
  if (tensor.data.length !== wanted) {
    throw mismatch(layout, what, `${name} has ${tensor.data.length} numbers, but its shape needs ${wanted}`);
  }
  return tensor.data;
}

function mismatch(layout: Layout, what: string, reason: string): FourfoldError {
  if (layout.network !== 'generator' && layout.network !== 'discriminator') {
    return new FourfoldError('invalid', `${what} is not ${featureNetworkNames[layout.network]}: ${reason}`, {
      hint: 'use the weights as published; fourfold vgg import --help lists the files',
    });
  }
  return new FourfoldError('invalid', `${what} does not fit the configured ${layout.network}: ${reason}`, {
    hint: 'use the weights of a run with the same network sizes, or configure the same sizes',
  });
}
