import { FourfoldError } from '@fourfold/common';
import { vggGroupsUpTo, vggLayout, type Layout, type TensorPlace, type VggDepth } from './layout.js';
import { decodeSafetensors, encodeSafetensors, type NamedArray } from './safetensors.js';

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

/**
 * VGG19's features up to `depth` as a flat vector, from a safetensors file with torchvision's names and OIHW filters
 * (`features.0.weight`, as in torchvision's and timm's vgg19) or with this package's. Tensors of deeper layers are
 * passed over. Throws `invalid` naming the first tensor that is missing or has another shape.
 */
export function vggVector(depth: VggDepth, bytes: Uint8Array, what: string): Float32Array<ArrayBuffer> {
  const layout = vggLayout(depth);
  const found = byName(decodeSafetensors(bytes, what).tensors);
  const torchvision = found.has('features.0.weight');
  const indices = torchvisionIndices(depth);
  const vector = new Float32Array(layout.length);
  for (const { name, shape, offset } of layout.tensors) {
    const [convolution, part] = name.split('/');
    if (!torchvision) {
      vector.set(expectTensor(found, name, shape, layout, what), offset);
    } else if (part === 'bias') {
      vector.set(expectTensor(found, `features.${indices.get(convolution)}.bias`, shape, layout, what), offset);
    } else {
      const oihw = [shape[3], shape[2], shape[0], shape[1]];
      const filter = expectTensor(found, `features.${indices.get(convolution)}.weight`, oihw, layout, what);
      copyAsHwio(filter, shape, vector.subarray(offset));
    }
  }
  return vector;
}

/** Index in torchvision's `features` of each convolution: a ReLU follows each, a pooling each group. */
function torchvisionIndices(depth: VggDepth): Map<string, number> {
  const indices = new Map<string, number>();
  let index = 0;
  for (const [group, { convolutions }] of vggGroupsUpTo(depth).entries()) {
    for (let i = 1; i <= convolutions; i++, index += 2) indices.set(`conv${group + 1}_${i}`, index);
    index += 1;
  }
  return indices;
}

function copyAsHwio(oihw: Float32Array, [height, width, inputs, outputs]: number[], target: Float32Array): void {
  const area = height * width;
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let at = 0; at < area; at++) {
        target[(at * inputs + input) * outputs + output] = oihw[(output * inputs + input) * area + at];
      }
    }
  }
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
  return tensor.data;
}

function mismatch(layout: Layout, what: string, reason: string): FourfoldError {
  return new FourfoldError('invalid', `${what} does not fit the configured ${layout.network}: ${reason}`, {
    mend: 'use the weights of a run with the same network sizes, or configure these',
  });
}
