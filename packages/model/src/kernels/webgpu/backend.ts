import tf = require('@tensorflow/tfjs-core');

/** The parts of TensorFlow.js's WebGPU backend that our kernels use. It records commands, and submits them together. */
export interface WebgpuBackend {
  device: { queue: { writeBuffer(to: GpuBuffer, at: number, values: Float32Array): void } };
  tensorMap: { get(dataId: object): { resource?: GpuBuffer | null; values?: ArrayLike<number> | null } };
  bufferManager: {
    acquireBuffer(size: number, usage: number): GpuBuffer;
    releaseBuffer(buffer: GpuBuffer): void;
  };
  /** Null if nothing is recorded. */
  commandEncoder: {
    copyBufferToBuffer(from: GpuBuffer, at: number, to: GpuBuffer, offset: number, size: number): void;
  } | null;
  /** Data whose buffers wait for the next submission to be used again. */
  commandQueueOwnedIds: Pick<WeakSet<object>, 'add' | 'has'>;
  /** Buffers of uniforms that the next submission releases. */
  uniformPendingDisposal: GpuBuffer[];
  makeUniforms(fields: Uniform[]): UniformBinding;
  runWebGPUProgram(program: object, inputs: tf.TensorInfo[], dtype: 'float32', uniforms: Uniform[]): tf.TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

export interface GpuBuffer {
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}

export interface Uniform {
  type: 'int32' | 'uint32' | 'float32';
  data: number[];
}

export interface UniformBinding {
  buffer: GpuBuffer;
}

export const webgpuBackend = (): WebgpuBackend => tf.backend() as unknown as WebgpuBackend;

/** Submit what is recorded, so that the device starts with it. */
export function submit(backend = webgpuBackend()): void {
  if (!backend.commandEncoder) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}
