import tf = require('@tensorflow/tfjs-core');
import type { TorchBackend } from '@fourfold/tfjs-torch';

/** The backend, if it computes on a CUDA device. */
function onCuda(): TorchBackend | undefined {
  if (tf.getBackend() !== 'torch') return undefined;
  const backend = tf.backend() as unknown as TorchBackend;
  return backend.device === 'cpu' ? undefined : backend;
}

/** Whether the current backend can capture work as graphs: torch on a CUDA device. */
export const canCaptureGraphs = (): boolean => onCuda() !== undefined;

/** Let a CUDA device copy to and from a vector at full speed until `unpinVectors`; no effect on other devices. */
export const pinVector = (vector: Float32Array): void => void onCuda()?.pin(vector);

export const unpinVectors = (): void => onCuda()?.unpin();
