import type tf = require('@tensorflow/tfjs-core');
import { submit, webgpuBackend, type GpuBuffer, type WebgpuBackend } from './backend.js';
import { checkDevice } from './failure.js';

/** WebGPU's GPUBufferUsage.MAP_READ | COPY_DST, and GPUMapMode.READ. */
const [readable, read] = [0x1 | 0x8, 0x1];

/**
 * Copy tensors' elements to `target`, one after the other, all by one copy from the device; downloads of one tick share a submission with what was
 * recorded before. Throws the device's failure, for lack of memory and so on, if it has had one.
 */
export async function download(tensors: tf.Tensor[], target: Float32Array): Promise<void> {
  const backend = webgpuBackend();
  const parts = tensors.map((tensor) => ({ size: tensor.size, ...backend.tensorMap.get(tensor.dataId) }));
  const onDevice = parts.filter(({ resource }) => resource);
  const values = await copy(
    backend,
    onDevice.map(({ resource, size }) => ({ resource: resource as GpuBuffer, size })),
  );
  let [from, to] = [0, 0];
  for (const part of parts) {
    target.set(part.resource ? values.subarray(from, from + part.size) : (part.values ?? []), to);
    if (part.resource) from += part.size;
    to += part.size;
  }
}

/** The values of buffers, one after the other. */
async function copy(backend: WebgpuBackend, parts: { resource: GpuBuffer; size: number }[]): Promise<Float32Array> {
  const elements = parts.reduce((sum, { size }) => sum + size, 0);
  if (elements === 0) return new Float32Array(0);
  const staging = backend.bufferManager.acquireBuffer(4 * elements, readable);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  let offset = 0;
  for (const { resource, size } of parts) {
    backend.commandEncoder?.copyBufferToBuffer(resource, 0, staging, offset, 4 * size);
    offset += 4 * size;
  }
  // Other downloads of this tick join in.
  await Promise.resolve();
  submit(backend);
  try {
    await staging.mapAsync(read);
  } catch (error) {
    // The device's own failure says more.
    await new Promise((resolve) => setTimeout(resolve));
    checkDevice();
    throw error;
  }
  checkDevice();
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.unmap();
  backend.bufferManager.releaseBuffer(staging);
  return values;
}
