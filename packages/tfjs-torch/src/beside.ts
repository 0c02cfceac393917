import { aten, atenTuple, scalarType } from './aten.js';
import { loadNative, type Handle, type NumericArray } from './native.js';
import { keep } from './temporaries.js';

/** A vector on a device, and its elements as tensors, one after the other. */
export interface Staging {
  vector: Handle;
  parts: Handle[];
}

/** Copy in parallel with a CUDA device's computation: the copies of `run` wait only for other copies. On a CPU all is in order. */
export function beside(run: () => void): void {
  const native = loadNative();
  native.onCopyStream(true);
  try {
    run();
  } finally {
    native.onCopyStream(false);
  }
}

/** Allocate a vector on a device for tensors of these shapes. */
export function createStaging(shapes: number[][], device: string): Staging {
  const sizes = shapes.map((shape) => shape.reduce((product, side) => product * side, 1));
  const length = sizes.reduce((sum, size) => sum + size, 0);
  const [vector, ...parts] = keep(() => {
    const room = aten.zeros([length], scalarType.float32, undefined, device);
    const pieces = atenTuple.split_with_sizes(room, sizes);
    return [room, ...pieces.map((piece, i) => aten.view(piece, shapes[i]))];
  });
  // The zeros are a computation too.
  loadNative().copiesAwaitComputation();
  return { vector, parts };
}

/**
 * Overwrite tensors through a staging: one copy to the device, which waits for no kernel, then copies on the device, after
 * the kernels queued before.
 */
export function overwriteBeside({ vector, parts }: Staging, places: Handle[], values: NumericArray): void {
  const native = loadNative();
  beside(() => native.overwrite(vector, values));
  for (const [i, place] of places.entries()) aten.copy_(place, parts[i]);
  // The next values must not arrive before that.
  native.copiesAwaitComputation();
}

export function freeStaging({ vector, parts }: Staging): void {
  for (const handle of [vector, ...parts]) loadNative().free(handle);
}
