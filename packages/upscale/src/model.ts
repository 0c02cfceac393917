import { FourfoldError } from '@fourfold/common/basics';
import { createUpscaler } from '@fourfold/model/inference';
import type { GeneratorWeights } from './generator.js';
import { isPixels, rgbOf } from './pixels.js';
import type { Model, Picture, PictureSource, Pixels, UpscaleOptions } from './types.js';

/** LR pixels a side that are computed at a time by default: with the paper's generator a process then takes about 0.5 GB. */
const defaultTile = 256;
const smallestTile = 16;

/** How long the thread is blocked before other code runs, unless a single step takes longer. */
const blockedMs = 50;

/** Fetches a picture that is on the web; the result decodes it. Pixels are not its matter. */
export type Open = (source: Exclude<PictureSource, Pixels>, signal?: AbortSignal) => Promise<() => Promise<Picture>>;

/** A model from its weights, on the backend that was started. */
export function createModel(weights: GeneratorWeights, backend: string, open: Open): Model {
  const upscaler = createUpscaler(weights, 'reflection');
  let isDisposed = false;
  async function compute(decode: () => Promise<Picture>, options: UpscaleOptions): Promise<Picture> {
    const { tile = defaultTile, onProgress, signal } = options;
    signal?.throwIfAborted();
    if (isDisposed) throw new FourfoldError('invalid', 'the model was disposed', { hint: 'read it again' });
    const picture = await decode();
    const steps = upscaler.steps(picture, tile);
    try {
      return await withPauses(steps, picture.width * picture.height, { onProgress, signal });
    } finally {
      steps.return(picture);
    }
  }
  return {
    scale: 4,
    ...weights.config,
    backend,
    async upscale(source, options = {}) {
      checkTile(options.tile);
      const { signal } = options;
      signal?.throwIfAborted();
      const isRaw = typeof source === 'object' && isPixels(source);
      // A fetch that is slow must not hold up other pictures.
      const decode = isRaw ? () => Promise.resolve(rgbOf(source)) : await open(source, signal);
      return untilAborted(
        inTurn(() => compute(decode, options)),
        signal,
      );
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      // A picture may be under way.
      void inTurn(async () => upscaler.dispose());
    },
  };
}

/** Run steps that yield the work they did, out of `total`, and let other code run now and then. */
async function withPauses<T>(
  steps: Generator<number, T>,
  total: number,
  { onProgress, signal }: Pick<UpscaleOptions, 'onProgress' | 'signal'>,
): Promise<T> {
  let done = 0;
  let begunMs = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) {
      onProgress?.(1);
      return step.value;
    }
    done += step.value;
    if (performance.now() - begunMs < blockedMs) continue;
    onProgress?.(Math.min(1, done / total));
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    begunMs = performance.now();
  }
}

let last: Promise<unknown> = Promise.resolve();

/** Do work after all earlier work: pictures at the same time would only take more memory. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work);
  last = result.catch(() => undefined);
  return result;
}

/** The result of work, or the signal's reason as soon as it aborts. */
async function untilAborted<T>(result: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return result;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    // The reason is the caller's: it may be anything.
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

function checkTile(tile: number | undefined): void {
  if (tile === undefined || (Number.isSafeInteger(tile) && tile >= smallestTile)) return;
  throw new FourfoldError('invalid', `tile is ${tile}: it must be a whole number, at least ${smallestTile}`);
}
