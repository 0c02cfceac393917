import { FourfoldError } from '@fourfold/common/basics';
import { oihwToHwio } from './filters.js';
import { vggGroups, vggLayout, type Layout, type TensorPlace, type VggDepth } from './layout.js';
import { decodeSafetensors, encodeSafetensors, type NamedArray } from './safetensors.js';
import { preprocessingKey, type VggPreprocessing } from './vgg-preprocessing.js';

/** A network's flat vector, statistics included, as a safetensors file; in `memory` if that has the file's size. */
export function safetensorsFromVector(
  layout: Layout,
  vector: Float32Array,
  metadata: Record<string, string>,
  memory?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const tensors = layout.tensors.map(({ name, shape, offset, sizeElements }) => ({
    name,
    shape,
    data: vector.subarray(offset, offset + sizeElements),
  }));
  return encodeSafetensors(tensors, metadata, memory);
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

/** VGG19's features up to a depth, as in a safetensors file. */
export interface VggWeights {
  vector: Float32Array<ArrayBuffer>;
  preprocessing: VggPreprocessing;
}

/**
 * VGG19's features up to `depth` from a safetensors file that `fourfold vgg import` wrote, or one with torchvision's names (such
 * as torchvision's and timm's vgg19). Throws `invalid` naming the first tensor that is missing or has another shape.
 */
export function vggWeights(depth: VggDepth, bytes: Uint8Array, what: string): VggWeights {
  const { tensors, metadata } = decodeSafetensors(bytes, what);
  const preprocessing = metadata[preprocessingKey] === 'caffe' ? 'caffe' : 'imagenet';
  return { vector: vggFromTensors(depth, tensors, what), preprocessing };
}

/**
 * VGG19's features up to `depth` as a flat vector, from tensors with torchvision's names and OIHW filters (`features.0.weight`) or
 * with this package's. Tensors of deeper layers are ignored. Throws `invalid` naming the first tensor that is missing or has
 * another shape.
 */
export function vggFromTensors(depth: VggDepth, tensors: NamedArray[], what: string): Float32Array<ArrayBuffer> {
  const layout = vggLayout(depth);
  const found = byName(tensors);
  const isTorchvision = found.has('features.0.weight');
  const vector = new Float32Array(layout.length);
  for (const { name, shape, offset } of layout.tensors) {
    if (!isTorchvision) {
      vector.set(expectTensor(found, name, shape, layout, what), offset);
    } else if (shape.length === 1) {
      vector.set(expectTensor(found, torchvisionName(name), shape, layout, what), offset);
    } else {
      const oihw = [shape[3], shape[2], shape[0], shape[1]];
      vector.set(oihwToHwio(expectTensor(found, torchvisionName(name), oihw, layout, what), shape), offset);
    }
  }
  return vector;
}

/** Torchvision's name of a VGG19 tensor: `conv1_2/filter` is `features.2.weight`; a ReLU follows each convolution, a pooling each group. */
export function torchvisionName(name: string): string {
  const [, group, convolution, part] = /^conv(\d)_(\d)\/(.*)$/.exec(name) ?? [];
  const before = vggGroups.slice(0, Number(group) - 1).reduce((sum, { convolutions }) => sum + 2 * convolutions + 1, 0);
  return `features.${before + 2 * (Number(convolution) - 1)}.${part === 'bias' ? 'bias' : 'weight'}`;
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
  if (layout.network === 'vgg') {
    return new FourfoldError('invalid', `${what} is not VGG19: ${reason}`, {
      hint: 'use the weights as published; fourfold vgg import --help lists the files',
    });
  }
  return new FourfoldError('invalid', `${what} does not fit the configured ${layout.network}: ${reason}`, {
    hint: 'use the weights of a run with the same network sizes, or configure the same sizes',
  });
}
