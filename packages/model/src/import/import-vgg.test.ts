import tf = require('@tensorflow/tfjs-core');
import { sha256 } from '@fourfold/common';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { selectBackend } from '../backends/backend.js';
import {
  convolutionsUpTo,
  featureLayout,
  featureNetworks,
  featureWeights,
  hwioToOihw,
  torchvisionName,
  decodeSafetensors,
  encodeSafetensors,
  type FeatureNetwork,
  type NamedArray,
} from '@fourfold/weights';
import { createFeatures } from '../networks/features.js';
import { onOneThread, relativeError } from '../test-support.js';
import { disposeTensors, uploadParameters } from '../networks/transfer.js';
import { importVgg } from './import-vgg.js';
import { useWeightsFolder, vggReference } from './test-weights-files.js';

const { place, published } = useWeightsFolder();

/** The features that the frameworks compute. */
let features: Map<string, NamedArray>;
beforeAll(async () => {
  const { tensors } = decodeSafetensors(await readFile(join(vggReference, 'features.safetensors')), 'features');
  features = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  await selectBackend(onOneThread('auto'));
});

function featureError(layer: string, framework: string, file: Uint8Array): number {
  const convolutions = convolutionsUpTo(featureNetworks.vgg19, [layer]);
  const layout = featureLayout('vgg19', convolutions);
  const { vector, preprocessing } = featureWeights(layout, file, 'vgg');
  const parameters = uploadParameters(layout, vector);
  const { data, shape } = features.get('picture') as NamedArray;
  const picture = tf.tensor<tf.Rank.R4>(data.slice(), shape as tf.Tensor4D['shape']);
  const taps = [{ layer, relu: 'after' as const }];
  const [[found]] = createFeatures(convolutions, taps, preprocessing)(parameters, picture, { saves: false });
  const wanted = features.get(`${framework}/${layer.replace('conv', 'relu')}`) as NamedArray;
  expect(found.shape).toEqual(wanted.shape);
  const error = relativeError(found.dataSync(), wanted.data);
  tf.dispose([picture, found]);
  disposeTensors(parameters);
  return error;
}

/** The SHA-256 of a network's weights, whatever else is in their file. */
const hashOf = (network: FeatureNetwork, file: Uint8Array) =>
  sha256(new Uint8Array(featureWeights(featureLayout(network), file, network).vector.buffer));

describe.each([
  ['python2.npy', 'keras', /^NumPy/],
  ['numpy2.npy', 'keras', /^NumPy/],
  ['keras1.h5', 'keras', /^Keras/],
  ['keras3.h5', 'keras', /^Keras/],
  ['legacy.pth', 'torchvision', /before 1\.6/],
  ['zip.pth', 'torchvision', /^PyTorch state_dict$/],
  ['torchvision.safetensors', 'torchvision', /^safetensors$/],
])('%s', (name, framework, format) => {
  test(`gives the features of ${framework}’s own VGG19`, async () => {
    const path = await published(name);
    const imported = await importVgg(path);
    expect(imported.format).toMatch(format);
    expect(imported.preprocessing).toBe(framework === 'keras' ? 'caffe' : 'imagenet');
    expect(imported.sourceSha256).toBe(sha256(await readFile(path)));
    expect(featureError('conv2_2', framework, imported.safetensors)).toBeLessThan(1e-4);
    expect(featureError('conv5_4', framework, imported.safetensors)).toBeLessThan(1e-4);
  });

  test('truncated, it is refused in one line', async () => {
    const whole = await readFile(await published(name));
    for (const part of [0.999, 0.5, 100 / whole.length]) {
      const path = await place(`cut-${name}`, whole.subarray(0, Math.floor(part * whole.length)));
      const error = await importVgg(path).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error?.message, `${part}`).toContain(path);
      expect(error?.message).not.toContain('\n');
      expect(error).toMatchObject({ code: expect.stringMatching(/^(corrupt|invalid)$/) as string });
    }
  });
});

test('an imported file can be imported again', async () => {
  const { safetensors } = await importVgg(await published('numpy2.npy'));
  const again = await importVgg(await place('again.safetensors', safetensors));
  expect(again).toMatchObject({ format: 'safetensors', preprocessing: 'caffe' });
  expect(hashOf('vgg19', again.safetensors)).toBe(hashOf('vgg19', safetensors));
});

test('a file that stops at VGG16’s depth is VGG16, by our names and by torchvision’s', async () => {
  const { tensors } = decodeSafetensors((await importVgg(await published('numpy2.npy'))).safetensors, 'vgg');
  const ours = tensors.filter(({ name }) => !/^conv[345]_4/.test(name));
  const imported = await importVgg(await place('vgg16.safetensors', encodeSafetensors(ours, {})));
  expect(imported.network).toBe('vgg16');
  const theirs = ours.map(({ name, shape, data }) => ({
    name: torchvisionName('vgg16', name),
    shape: shape.length === 4 ? [shape[3], shape[2], shape[0], shape[1]] : shape,
    data: shape.length === 4 ? hwioToOihw(data, shape) : data,
  }));
  const again = await importVgg(await place('vgg16-features.safetensors', encodeSafetensors(theirs, {})));
  expect(again.network).toBe('vgg16');
  expect(hashOf('vgg16', again.safetensors)).toBe(hashOf('vgg16', imported.safetensors));
});

test('a changed byte of a weight is found by the zip’s checksum and by a published hash', async () => {
  const bytes = await readFile(await published('zip.pth'));
  bytes[bytes.length >> 1] ^= 1;
  await expect(importVgg(await place('changed.pth', bytes))).rejects.toThrow(
    /changed\.pth is damaged: .* cannot be read/,
  );
  const legacyBytes = await readFile(await published('legacy.pth'));
  const name = `vgg19-${sha256(legacyBytes).slice(0, 8)}.pth`;
  await importVgg(await place(name, legacyBytes));
  legacyBytes[legacyBytes.length >> 1] ^= 1;
  await expect(importVgg(await place(name, legacyBytes))).rejects.toThrow(/is damaged: its SHA-256 begins with/);
  // Without a checksum a changed number goes unnoticed; the imported file records the hash of its source.
  const other = await place('changed-legacy.pth', legacyBytes);
  expect((await importVgg(other)).sourceSha256).toBe(sha256(legacyBytes));
});

test('the first tensor that differs is named', async () => {
  const { tensors } = decodeSafetensors((await importVgg(await published('zip.pth'))).safetensors, 'vgg');
  const without = tensors.filter(({ name }) => name !== 'conv3_4/bias');
  const missing = await place('missing.safetensors', encodeSafetensors(without, {}));
  await expect(importVgg(missing)).rejects.toThrow(/conv3_4\/bias is missing/);
  const narrow = tensors.map((tensor) =>
    tensor.name === 'conv2_1/bias' ? { ...tensor, shape: [64], data: tensor.data.slice(0, 64) } : tensor,
  );
  const other = await place('other.safetensors', encodeSafetensors(narrow, {}));
  await expect(importVgg(other)).rejects.toThrow(/conv2_1\/bias is 64, not 128/);
  tensors[5].data[7] = NaN;
  const bad = await place('bad.safetensors', encodeSafetensors(tensors, {}));
  await expect(importVgg(bad)).rejects.toThrow(`${tensors[5].name} holds a number that is not finite`);
});
