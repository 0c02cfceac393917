import tf = require('@tensorflow/tfjs-core');
import type { Tensor } from '@tensorflow/tfjs-core';
import { loadNative } from './native.js';

const { engine } = tf;

/** Captured kernels that one call runs again. */
export interface Graph {
  /** Run the kernels again on the current values of the same tensors. Results are written to the tensors of the capture. */
  replay(): void;
}

/** Capture the device work of `run` as a graph; nothing runs before its first replay. */
export type Capture = <Result>(run: () => Result) => { graph: Graph; result: Result };

/**
 * Capture CUDA graphs: `make` calls `capture` for each, which may use tensors of earlier graphs. Captured code may create and
 * dispose tensors; it must not read any, nor write any from the host. Tensors it does not dispose are the graphs' memory. Throws
 * libtorch's error if an operator cannot be captured or memory runs out; then every graph is freed.
 */
export function captureGraphs<Result>(make: (capture: Capture) => Result): Result {
  const native = loadNative();
  const graphs: number[] = [];
  const capture: Capture = (run) => {
    native.beginGraph();
    let isEnded = false;
    try {
      const result = run();
      isEnded = true;
      const graph = native.endGraph();
      graphs.push(graph);
      return { graph: { replay: () => native.replayGraph(graph) }, result };
    } finally {
      if (!isEnded) abandonCapture();
    }
  };
  try {
    return allOrNothing(() => make(capture));
  } catch (error) {
    for (const graph of graphs) native.freeGraph(graph);
    throw error;
  }
}

/** Tensors that `run` makes belong to the caller, as without a scope; if it throws, none is left behind. */
export function allOrNothing<Result>(run: () => Result): Result {
  engine().startScope('all or nothing');
  try {
    const result = run();
    const made: Tensor[] = engine().state.activeScope.track;
    for (const tensor of made) engine().keep(tensor);
    return result;
  } finally {
    engine().endScope();
  }
}

/** Make later `readBeside` copies wait for the computation queued so far. */
export const copiesAwaitComputation = (): void => loadNative().copiesAwaitComputation();

/** End a capture that failed. Any error here is ignored: the first one says why. */
function abandonCapture(): void {
  const native = loadNative();
  try {
    native.freeGraph(native.endGraph());
  } catch {
    // The failure had already ended the capture.
  }
}
