import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import type { BackendName } from '@fourfold/common';
import { afterEach, beforeAll, expect } from 'vitest';
import { probeBackends, selectBackend } from './backends/backend.js';
import type { BackendChoice } from './backends/types.js';
import type { NamedTensors } from './layers/layer.js';
import type { Layout } from '@fourfold/weights';
import { relativeError } from './test-reference.js';

export { loadReference, relativeError, vgg54Loss, type Reference } from './test-reference.js';

/** A backend in float32 with one thread on the CPU. */
export const onOneThread = (backend: BackendName | 'auto'): BackendChoice => ({
  backend,
  device: 'cpu',
  precision: 'f32',
  threads: 1,
});

/** The available backends that layers and steps are tested on. */
const probes = probeBackends();
export const testedBackends = (['wasm', 'cpu', 'torch', 'tensorflow'] as const).filter(
  (name) => probes.find(({ backend }) => backend === name)?.found,
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

/** The relative error of every tensor of `expected` that exceeds `limit`, by name. */
export async function tensorErrors(
  tensors: NamedTensors,
  layout: Layout,
  expected: Float32Array,
  limit: number,
): Promise<Record<string, number>> {
  const errors: Record<string, number> = {};
  for (const { name, offset, sizeElements } of layout.tensors) {
    const tensor = tensors.get(name);
    assert(tensor, name);
    const error = relativeError(await tensor.data(), expected.subarray(offset, offset + sizeElements));
    if (!(error < limit)) errors[name] = error;
  }
  return errors;
}
