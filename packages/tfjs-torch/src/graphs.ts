import { engine, type Tensor } from '@tensorflow/tfjs-core';
import { loadNative } from './native.js';

/** Kernels that were asked for once and run again by one call. */
export interface Graph {
  /** Run everything again, on what lies in the same tensors now. Results lie where they lay at the capture. */
  replay(): void;
}

/** Capture what `run` asks of the device as a graph; nothing runs before its first replay. */
export type Capture = <Result>(run: () => Result) => { graph: Graph; result: Result };

/**
 * Capture CUDA graphs: `make` calls `capture` for each, which may use tensors of those before it. What is captured may make and
 * dispose tensors; it must not read any, nor write any from the host. What it leaves undisposed is the graphs' memory. Throws
 * libtorch's error where an operator cannot be captured, or there is not enough memory; nothing stays of any graph then.
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

/** What `run` makes is the caller's, as without a scope; where it throws, it leaves no tensor behind. */
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
