import { expect, test } from 'vitest';
import { initialVector } from './initial-parameters.js';
import { convolutionsUpTo, featureLayout, featureNetworks } from './feature-networks.js';
import { generatorLayout } from './layout.js';
import { decodeSafetensors, encodeSafetensors, type NamedArray } from './safetensors.js';
import { featuresFromTensors, featureWeights, safetensorsFromVector, vectorFromSafetensors } from './weights-file.js';

const layout = generatorLayout({ channels: 2, blocks: 1 });
const vector = initialVector(layout, 1);
const file = safetensorsFromVector(layout, vector, { network: 'generator' });

/** A file with this header, then `dataBytes` zeros. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const entry = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

test('a vector comes back bit for bit, from any alignment', () => {
  expect(vectorFromSafetensors(layout, file, 'f')).toEqual(vector);
  const shifted = new Uint8Array(file.length + 1);
  shifted.set(file, 1);
  expect(vectorFromSafetensors(layout, shifted.subarray(1), 'f')).toEqual(vector);
  expect(decodeSafetensors(file, 'f').metadata).toEqual({ network: 'generator' });
});

test('data starts at a multiple of eight bytes', () => {
  expect(Number(new DataView(file.buffer).getBigUint64(0, true)) % 8).toBe(0);
});

test.each<[string, Uint8Array, string]>([
  ['nothing', new Uint8Array(0), 'it has only 0 bytes'],
  ['a cut header', file.subarray(0, 100), 'does not fit'],
  ['cut data', file.subarray(0, -4), 'declares'],
  ['too much data', fileOf({ a: entry(0, 8) }, 12), 'declares'],
  ['a huge header', Buffer.from('ffffffffffffff7f', 'hex'), 'does not fit'],
  ['not JSON', fileOf('{', 0), 'its header is not JSON'],
  ['a list', fileOf([], 0), 'not a map of tensors'],
  ['an overlap', fileOf({ a: entry(0, 8), b: entry(4, 12) }, 12), 'b does not start where'],
  ['a gap', fileOf({ a: entry(0, 4), b: entry(8, 12) }, 12), 'b does not start where'],
  ['the same offsets', fileOf({ a: entry(0, 4), b: entry(0, 4) }, 4), 'b does not start where'],
  ['another size', fileOf({ a: entry(0, 8, [3]) }, 8), 'a takes 8 bytes, but its shape needs 12'],
  ['a negative shape', fileOf({ a: entry(0, 8, [-2]) }, 8), 'malformed'],
  ['turned offsets', fileOf({ a: { ...entry(0, 8), data_offsets: [8, 0] } }, 8), 'malformed'],
  ['no offsets', fileOf({ a: { dtype: 'F32', shape: [1] } }, 4), 'malformed'],
  ['metadata of numbers', fileOf({ __metadata__: { a: 1 } }, 0), '__metadata__'],
])('refuses %s', (_what, bytes, message) => {
  expect(() => decodeSafetensors(bytes, 'weights')).toThrow(message);
  expect(() => decodeSafetensors(bytes, 'weights')).toThrow(expect.objectContaining({ code: 'corrupt' }));
});

test('refuses types other than F32 as invalid', () => {
  const bytes = fileOf({ a: { ...entry(0, 8), dtype: 'BF16', shape: [4] } }, 8);
  expect(() => decodeSafetensors(bytes, 'weights')).toThrow('weights: a is of type BF16; only F32 is supported');
});

test('weights of another network are refused, naming the first tensor that differs', () => {
  const refusal = (other: { channels: number; blocks: number }) => () =>
    vectorFromSafetensors(generatorLayout(other), file, 'g.safetensors');
  expect(refusal({ channels: 3, blocks: 1 })).toThrow(
    'g.safetensors does not fit the configured generator: head/conv/filter is 9 x 9 x 3 x 2, not 9 x 9 x 3 x 3',
  );
  expect(refusal({ channels: 2, blocks: 2 })).toThrow('block2/conv1/filter is missing');
  expect(refusal({ channels: 2, blocks: 0 })).toThrow('it holds block1/conv1/filter, which the configured generator');
});

test('VGG19 is read with torchvision’s names and OIHW, or with ours', () => {
  const vgg22 = featureLayout('vgg19', convolutionsUpTo(featureNetworks.vgg19, ['conv2_2']));
  const { tensors } = vgg22;
  const indices: Record<string, number> = { conv1_1: 0, conv1_2: 2, conv2_1: 5, conv2_2: 7 };
  const value = (o: number, i: number, y: number, x: number) => Math.fround(o + i / 200 + y / 7 + x / 50);
  const foreign = tensors.map(({ name, shape, sizeElements }): NamedArray => {
    const [layer, part] = name.split('/');
    const data = new Float32Array(sizeElements);
    if (part === 'bias') return { name: `features.${indices[layer]}.bias`, shape, data: data.map((_, o) => o) };
    const [height, width, inputs, outputs] = shape;
    let at = 0;
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++)
        for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[at++] = value(o, i, y, x);
    return { name: `features.${indices[layer]}.weight`, shape: [outputs, inputs, height, width], data };
  });
  const deeper = { name: 'classifier.0.weight', shape: [1], data: new Float32Array(1) };
  const { vector: result, preprocessing } = featureWeights(vgg22, encodeSafetensors([...foreign, deeper], {}), 'vgg');
  expect(preprocessing).toBe('imagenet');
  for (const { name, shape, offset, sizeElements } of tensors) {
    const [, width, inputs, outputs] = shape;
    for (let at = 0; at < sizeElements; at += 97) {
      const [o, i] = [at % outputs, Math.floor(at / outputs) % inputs];
      const [x, y] = [Math.floor(at / outputs / inputs) % width, Math.floor(at / outputs / inputs / width)];
      expect(result[offset + at], name).toBe(name.endsWith('bias') ? at : value(o, i, y, x));
    }
  }
  const ours = safetensorsFromVector(vgg22, result, {});
  expect(featureWeights(vgg22, ours, 'vgg').vector).toEqual(result);
  const caffe = safetensorsFromVector(vgg22, result, { preprocessing: 'caffe' });
  expect(featureWeights(vgg22, caffe, 'vgg').preprocessing).toBe('caffe');
  expect(() => featureWeights(featureLayout('vgg19'), ours, 'vgg')).toThrow(
    'vgg is not VGG19: conv3_1/filter is missing',
  );
});

test('the other VGG is refused by name, with our names and torchvision’s', () => {
  const named = (...names: string[]): NamedArray[] =>
    names.map((name) => ({ name, shape: [1], data: new Float32Array(1) }));
  const refusal = (network: 'vgg16' | 'vgg19', tensors: NamedArray[]) => () =>
    featuresFromTensors(featureLayout(network), tensors, 'vgg');
  for (const vgg19 of [
    named('conv3_3/filter', 'conv3_4/filter'),
    named('features.0.weight', 'features.14.weight', 'features.16.weight'),
  ]) {
    expect(refusal('vgg16', vgg19)).toThrow('vgg is not VGG16: it is VGG19');
    expect(refusal('vgg19', vgg19.slice(0, -1))).toThrow('vgg is not VGG19: it is VGG16');
  }
});
