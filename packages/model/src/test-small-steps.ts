import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import type { Network } from '@fourfold/common';
import { setImmediate } from 'node:timers/promises';
import { discriminatorLayout, generatorLayout, initialVector } from '@fourfold/weights';
import { createDiscriminator } from './networks/discriminator.js';
import { createGenerator } from './networks/networks.js';
import {
  disposeTensors,
  downloadGradients,
  replaceParameters,
  uploadBatch,
  uploadParameters,
} from './networks/transfer.js';
import { vgg54Loss } from './test-reference.js';
import { contentStep } from './training/content-step.js';
import { discriminatorStep, generatorStep, readLosses, runGenerator } from './training/steps.js';

/*
 * Halves of iterations of networks as small as can be, on the current backend: what NaN does to them, and what they leave behind.
 */

const [crop, count] = [4, 1];
const configs = {
  generator: { channels: 4, blocks: 0 },
  discriminator: { channels: 4, head: 'dense' as const, dense: 4 },
};

/** Both networks with weights of a seed, and by name their layouts and vectors, which each step sends again. */
export function smallNetworks() {
  const layouts = {
    generator: generatorLayout(configs.generator),
    discriminator: discriminatorLayout(configs.discriminator, crop),
  };
  const vectors = {
    generator: initialVector(layouts.generator, 1),
    discriminator: initialVector(layouts.discriminator, 1),
  };
  const generator = {
    layer: createGenerator(configs.generator, 'training'),
    parameters: uploadParameters(layouts.generator, vectors.generator),
  };
  const discriminator = {
    ...createDiscriminator(configs.discriminator),
    parameters: uploadParameters(layouts.discriminator, vectors.discriminator),
  };
  return { layouts, vectors, generator, discriminator };
}

type SmallNetworks = ReturnType<typeof smallNetworks>;

/** The gradient of a network's half of an iteration, `mse` for the generator, on pixels of one grey level, 0 to 255. */
export async function smallHalf(networks: SmallNetworks, name: Network, level: number): Promise<Float32Array> {
  const { layouts, vectors, generator, discriminator } = networks;
  networks[name].parameters = replaceParameters(layouts[name], networks[name].parameters, vectors[name]);
  const pixels = (side: number) => new Uint8Array(count * side * side * 3).fill(level);
  const { hr, lr } = uploadBatch({ hr: pixels(crop), lr: pixels(crop / 4), count, crop });
  const half = () => {
    if (name === 'discriminator') return discriminatorStep(discriminator, { hr, sr: hr }, 'standard');
    const pass = runGenerator(generator, lr);
    return generatorStep(pass, contentStep('mse', vgg54Loss, { hr, sr: pass.sr }), undefined);
  };
  const { losses, gradients } = half();
  const vector = new Float32Array(layouts[name].length);
  await Promise.all([downloadGradients(layouts[name], gradients, vector), readLosses(losses)]);
  disposeTensors(gradients);
  tf.dispose([hr, lr]);
  return vector;
}

/** What is held after a step. */
export interface Held {
  step: number;
  residentMiB: number;
  /** Bytes of buffers on the device, and how many tensors there are. */
  device: { bytes: number; tensors: number };
}

/**
 * Run so many `mse` iterations on webgpu; what is held after every 50. Node.js needs --expose-gc: V8 does not count what a driver holds for its objects, and
 * would collect them late.
 */
export async function smallSteps(steps: number): Promise<Held[]> {
  const { gc } = globalThis;
  assert(gc, 'Node.js needs --expose-gc');
  const networks = smallNetworks();
  const held: Held[] = [];
  for (let step = 1; step <= steps; step++) {
    await smallHalf(networks, 'generator', step % 256);
    if (step % 50 > 0) continue;
    // What the first finds, the loop's next turn frees.
    gc();
    await setImmediate();
    gc();
    const { numTensors, numBytesAllocatedInGPU } = tf.memory() as tf.MemoryInfo & { numBytesAllocatedInGPU: number };
    held.push({
      step,
      residentMiB: process.memoryUsage().rss / 2 ** 20,
      device: { bytes: numBytesAllocatedInGPU, tensors: numTensors },
    });
  }
  return held;
}
