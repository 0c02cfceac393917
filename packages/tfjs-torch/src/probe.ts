/*
 * What a program asks that may compute with libtorch or not. It loads neither TensorFlow.js nor kernels.
 */

export { cudaMemory, probe, type BuildRecord, type CudaMemory, type Probe } from './native.js';
