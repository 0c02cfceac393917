import type { GpuBuffer, Uniform, UniformBinding, WebgpuBackend } from './backend.js';

/** Distinct contents of uniforms that stay on the device; a run has some hundreds, pictures of many sizes have more. */
const mostUniforms = 4096;

/**
 * Let TensorFlow.js's backend record long submissions.
 *
 * - A buffer that is freed can be used again at once. TensorFlow.js keeps it until the next submission, so that a submission of a whole half
 *   would keep all of its intermediate tensors; but commands see buffers in the order in which they are recorded.
 * - Uniforms, which are sizes and constants, stay on the device by their contents. TensorFlow.js writes them again for each dispatch.
 */
export function recordLongSubmissions(backend: WebgpuBackend): void {
  const none: WebgpuBackend['commandQueueOwnedIds'] = { add: () => new WeakSet(), has: () => false };
  // The backend sets a new one at each submission.
  Object.defineProperty(backend, 'commandQueueOwnedIds', { get: () => none, set: () => undefined });
  const make = backend.makeUniforms.bind(backend);
  const kept = new Map<string, UniformBinding>();
  backend.makeUniforms = (fields) => {
    const key = fields.map(keyOf).join(';');
    const found = kept.get(key);
    if (found) return found;
    if (kept.size >= mostUniforms) {
      backend.uniformPendingDisposal.push(...[...kept.values()].map(({ buffer }) => buffer));
      kept.clear();
    }
    const made = make(fields);
    backend.uniformPendingDisposal = backend.uniformPendingDisposal.filter(
      (buffer: GpuBuffer) => buffer !== made.buffer,
    );
    kept.set(key, made);
    return made;
  };
}

const keyOf = ({ type, data }: Uniform): string =>
  `${type} ${data.map((value) => (Object.is(value, -0) ? '-0' : value)).join()}`;
