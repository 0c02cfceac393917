import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { BackendName, LossConfig } from '@fourfold/common';
import { afterEach, beforeAll, expect } from 'vitest';
import { probeBackends, selectBackend } from './backends/backend.js';
import type { BackendChoice } from './backends/types.js';
import type { NamedTensors } from './layers/layer.js';
import { decodeSafetensors, type Layout, type NamedArray } from '@fourfold/weights';

/** A backend in float32 with one thread on the CPU. */
export const onOneThread = (backend: BackendName | 'auto'): BackendChoice => ({
  backend,
  device: 'cpu',
  precision: 'f32',
  threads: 1,
});

/** The available backends that layers and steps are tested on. */
export const testedBackends = (['wasm', 'cpu', 'torch', 'tensorflow'] as const).filter(
  (name) => probeBackends().find(({ backend }) => backend === name)?.found,
);

/** The tests of this group run on the backend, and each leaves no tensor. */
export function onBackend(backend: BackendName): void {
  let tensorsBefore = 0;
  beforeAll(async () => {
    await selectBackend(onOneThread(backend));
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => expect(tf.memory().numTensors).toBe(tensorsBefore));
}

/** The paper's losses of vgg54, with total variation. */
export const vgg54Loss: LossConfig = {
  content: 'vgg54',
  featureShift: 0,
  vggReduction: 'sum',
  adversarial: 'standard',
  adversarialWeight: 1e-3,
  totalVariationWeight: 2e-8,
};

/** Reference tensors that test/reference/make_reference.py wrote, by name, and its settings. */
export interface Reference {
  get(name: string): NamedArray;
  tensor(name: string): tf.Tensor4D;
  /** The flat vector of the tensors `prefix`/NAME. */
  vector(prefix: string, layout: Layout): Float32Array;
  settings: Record<string, unknown>;
}

export function loadReference(file: string): Reference {
  const path = new URL(`../../../test/reference/${file}.safetensors`, import.meta.url);
  const { tensors, metadata } = decodeSafetensors(readFileSync(path), file);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const get = (name: string) => {
    const found = byName.get(name);
    assert(found, `${file} has no ${name}`);
    return found;
  };
  return {
    get,
    tensor: (name) => tf.tensor<tf.Rank.R4>(get(name).data.slice(), get(name).shape as tf.Tensor4D['shape']),
    vector: (prefix, layout) => {
      const vector = new Float32Array(layout.length);
      for (const { name, offset, shape } of layout.tensors) {
        const { data, shape: found } = get(`${prefix}/${name}`);
        assert.deepEqual(found, shape, name);
        vector.set(data, offset);
      }
      return vector;
    },
    settings: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, JSON.parse(value) as unknown])),
  };
}

/** |actual - expected| / |expected|, Euclidean. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** The relative error of every tensor of `expected` that exceeds `limit`, by name. */
export function tensorErrors(
  tensors: NamedTensors,
  layout: Layout,
  expected: Float32Array,
  limit: number,
): Record<string, number> {
  const errors = layout.tensors.map(({ name, offset, sizeElements }): [string, number] => {
    const tensor = tensors.get(name);
    assert(tensor, name);
    return [name, relativeError(tensor.dataSync(), expected.subarray(offset, offset + sizeElements))];
  });
  return Object.fromEntries(errors.filter(([, error]) => !(error < limit)));
}
