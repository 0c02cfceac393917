import { loadNative } from './native.js';

/** Kernels that were asked for once and run again by one call. */
export interface Graph {
  /** Run everything again, on what lies in the same tensors now. Results lie where they lay at the capture. */
  replay(): void;
  /** Free the graph; the tensors of its capture are the caller's to dispose first. */
  dispose(): void;
}

/**
 * Capture what `run` asks of the device as a CUDA graph; nothing runs before the first replay. `run` may make and dispose
 * tensors; it must not read any, nor write any from the host. What it leaves undisposed stays the graph's memory: it must
 * not be disposed before the graph. Throws libtorch's error where an operator cannot be captured.
 */
export function captureGraph<Result>(run: () => Result): { graph: Graph; result: Result } {
  const native = loadNative();
  native.beginGraph();
  let result: Result;
  try {
    result = run();
  } catch (error) {
    abandonCapture();
    throw error;
  }
  const graph = native.endGraph();
  return { graph: { replay: () => native.replayGraph(graph), dispose: () => native.freeGraph(graph) }, result };
}

/** What `readBeside` copies from now on has been asked of the computation before this. */
export const copiesAwaitComputation = (): void => loadNative().copiesAwaitComputation();

/** End a capture that failed; the first error tells why, not this one's. */
function abandonCapture(): void {
  const native = loadNative();
  try {
    native.freeGraph(native.endGraph());
  } catch {
    // The capture had ended by its own error.
  }
}
