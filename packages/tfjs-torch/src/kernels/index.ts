import { defineActivations } from './activations.js';
import { defineArithmetic } from './arithmetic.js';
import { defineConvolutions } from './convolutions.js';
import { defineCreation } from './creation.js';
import { defineGathering } from './gathering.js';
import { defineImages } from './images.js';
import { defineMatrices } from './matrices.js';
import { defineNormalisation } from './normalisation.js';
import { definePooling } from './pooling.js';
import { defineReductions } from './reductions.js';
import { defineShapes } from './shapes.js';
import { defineSlices } from './slices.js';

/** Register every kernel that runs on libtorch. */
export function defineKernels(): void {
  defineActivations();
  defineArithmetic();
  defineConvolutions();
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
