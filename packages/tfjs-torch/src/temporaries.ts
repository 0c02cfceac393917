import { loadNative, type Handle } from './native.js';

/** Make tensors in a new scope for temporaries: only the result of `make` outlives it. */
export function keep<Made extends Handle | Handle[]>(make: () => Made): Made {
  const native = loadNative();
  const mark = native.mark();
  let kept: Handle[] = [];
  try {
    const made = make();
    kept = Array.isArray(made) ? made : [made];
    return made;
  } finally {
    native.release(mark, kept);
  }
}

/** Free all tensors that `run` makes. */
export function scope(run: () => void): void {
  keep(() => {
    run();
    return [];
  });
}
