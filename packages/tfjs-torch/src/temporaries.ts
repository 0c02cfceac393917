import { loadNative, type Handle } from './native.js';

/** Make tensors in a new scope for temporaries: what `make` returns alone outlives it. */
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

/** Free what `run` makes. */
export function scope(run: () => void): void {
  keep(() => {
    run();
    return [];
  });
}
