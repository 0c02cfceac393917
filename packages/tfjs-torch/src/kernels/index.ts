import tf = require('@tensorflow/tfjs-core');
import { runOnCpu } from '../fallback.js';
import { backendName, registeredKernels } from '../kernel.js';
import { defineActivations } from './activations.js';
import { defineArithmetic } from './arithmetic.js';
import { defineConvolutions } from './convolutions.js';
import { defineDepthwise } from './depthwise.js';
import { defineVolumes } from './volumes.js';
import { defineCreation } from './creation.js';
import { defineGathering } from './gathering.js';
import { defineImages } from './images.js';
import { defineMatrices } from './matrices.js';
import { defineNormalisation } from './normalisation.js';
import { definePooling } from './pooling.js';
import { defineReductions } from './reductions.js';
import { defineShapes } from './shapes.js';
import { defineSlices } from './slices.js';

const { getKernelsForBackend, registerKernel } = tf;

/** Register every kernel that runs on libtorch. */
export function defineKernels(): void {
  defineActivations();
  defineArithmetic();
  defineConvolutions();
  defineDepthwise();
  defineVolumes();
  defineCreation();
  defineGathering();
  defineImages();
  defineMatrices();
  defineNormalisation();
  definePooling();
  defineReductions();
  defineShapes();
  defineSlices();
}

/**
 * Register kernels of TensorFlow.js's plain JavaScript backend that libtorch lacks: ragged and sparse tensors, strings,
 * non-maximum suppression and the like.
 */
export function defineFallbacks(): void {
  for (const { kernelName } of getKernelsForBackend('cpu')) {
    if (registeredKernels().has(kernelName)) continue;
    registerKernel({ kernelName, backendName, kernelFunc: (args) => runOnCpu(kernelName, args) });
  }
}
