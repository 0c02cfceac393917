import { hwioToOihw, oihwToHwio } from './filters.js';
import type { GeneratorWeights, TensorPlace } from './layout.js';
import { decodeSafetensors, encodeSafetensors, type NamedArray } from './safetensors.js';
import { vectorFromSafetensors } from './weights-file.js';

/*
 * The generator with the names and layouts of the PyTorch modules in the model's assets/generator.py: filters are OIHW, and the channels
 * of convolutions before a pixel_shuffle are in its order.
 */

const moduleNames: Record<string, string> = {
  'head/conv': 'head.0',
  'head/prelu': 'head.1',
  'trunk/conv': 'trunk.0',
  'trunk/bn': 'trunk.1',
  'up1/conv': 'up1.0',
  'up1/prelu': 'up1.2',
  'up2/conv': 'up2.0',
  'up2/prelu': 'up2.2',
  'tail/conv': 'tail',
};

const partNames: Record<string, string> = {
  filter: 'weight',
  bias: 'bias',
  slope: 'weight',
  gamma: 'weight',
  beta: 'bias',
  mean: 'running_mean',
  variance: 'running_var',
};

/** PyTorch's name of a generator tensor: `block1/conv1/filter` is `blocks.0.conv1.weight`. */
function torchName(name: string): string {
  const [, module, part] = /^(.*)\/([^/]+)$/.exec(name) ?? [];
  const [, block, inside] = /^block(\d+)\/(.*)$/.exec(module) ?? [];
  return `${block ? `blocks.${Number(block) - 1}.${inside}` : moduleNames[module]}.${partNames[part]}`;
}

/** Encode a generator as a safetensors file with PyTorch's names and layouts. */
export function encodeTorchGenerator(
  { layout, vector }: GeneratorWeights,
  metadata: Record<string, string>,
): Uint8Array<ArrayBuffer> {
  const tensors = layout.tensors.map((place): NamedArray => {
    const { name, shape, offset, sizeElements } = place;
    const data = reorderShuffled(place, vector.subarray(offset, offset + sizeElements), 'to torch');
    if (shape.length !== 4) return { name: torchName(name), shape, data };
    const [height, width, inputs, outputs] = shape;
    return { name: torchName(name), shape: [outputs, inputs, height, width], data: hwioToOihw(data, shape) };
  });
  return encodeSafetensors(tensors, metadata);
}

/**
 * Decode such a file to the flat vector. `what` names it in errors. Throws `corrupt` and `invalid` as
 * `vectorFromSafetensors` does.
 */
export function decodeTorchGenerator(
  layout: GeneratorWeights['layout'],
  bytes: Uint8Array,
  what: string,
): Float32Array<ArrayBuffer> {
  const places = new Map(layout.tensors.map((place) => [torchName(place.name), place]));
  const tensors = decodeSafetensors(bytes, what).tensors.map(({ name, shape, data }): NamedArray => {
    const place = places.get(name);
    if (!place) return { name, shape, data };
    const [outputs, inputs, height, width] = shape;
    const hwio = shape.length === 4 ? [height, width, inputs, outputs] : shape;
    const plain = shape.length === 4 ? oihwToHwio(data, hwio) : data;
    return { name: place.name, shape: hwio, data: reorderShuffled(place, plain, 'from torch') };
  });
  return vectorFromSafetensors(layout, encodeSafetensors(tensors, {}), what);
}

/**
 * The last axis of a convolution before an upsampling, in the other order: TensorFlow's depth-to-space orders channels as (row,
 * column, c), torch's pixel_shuffle as (c, row, column).
 */
function reorderShuffled(
  { name, shape }: TensorPlace,
  data: Float32Array,
  way: 'to torch' | 'from torch',
): Float32Array {
  if (!/^up\d\/conv\//.test(name)) return data;
  const outputs = shape[shape.length - 1];
  const channels = outputs / 4;
  const result = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const output = i % outputs;
    const shuffled = (output % channels) * 4 + Math.floor(output / channels);
    if (way === 'to torch') result[i - output + shuffled] = data[i];
    else result[i] = data[i - output + shuffled];
  }
  return result;
}
