import { FourfoldError, unlessAborted } from '@fourfold/common/basics';
import { createUpscaler } from '@fourfold/model/inference';
import type { GeneratorWeights } from '@fourfold/weights';
import { isPixels, rgbOf } from './pixels.js';
import type { Model, Picture, PictureSource, Pixels, ReadModelOptions, UpscaleOptions } from './types.js';

/** LR pixels a side that are computed at a time by default: with the paper's generator a process then takes about 0.5 GB. */
const defaultTile = 256;
const smallestTile = 16;

/** How long the thread is blocked before other code runs, unless a single step takes longer. */
const blockedMs = 50;

/** Fetches a picture that is on the web; the result decodes it. Pixels are not its matter. */
export type Open = (source: Exclude<PictureSource, Pixels>, signal?: AbortSignal) => Promise<() => Promise<Picture>>;

/**
 * Starts a backend by `start` at the first call and gives its name: TensorFlow.js has one for all models. A start that failed is tried
 * again. Throws `invalid` if another backend than the running one is asked for.
 */
export function backendStarter<O extends Pick<ReadModelOptions, 'backend'>>(start: (options: O) => Promise<string>) {
  let started: Promise<string> | undefined;
  return async (options: O): Promise<string> => {
    const { backend = 'auto' } = options;
    started ??= start(options);
    const name = await started.catch((error: unknown) => {
      started = undefined;
      throw error;
    });
    if (backend === 'auto' || backend === name) return name;
    const reason = `an earlier model computes on ${name}, and so must this one`;
    throw new FourfoldError('invalid', `backend ${backend}: ${reason}`);
  };
}

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
      await steps.return(picture);
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
      const result = inTurn(() => compute(decode, options));
      return signal ? unlessAborted(result, signal) : result;
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
  steps: AsyncGenerator<number, T>,
  total: number,
  { onProgress, signal }: Pick<UpscaleOptions, 'onProgress' | 'signal'>,
): Promise<T> {
  let done = 0;
  let begunMs = performance.now();
  for (;;) {
    const step = await steps.next();
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

function checkTile(tile: number | undefined): void {
  if (tile === undefined || (Number.isSafeInteger(tile) && tile >= smallestTile)) return;
  throw new FourfoldError('invalid', `tile is ${tile}: it must be a whole number, at least ${smallestTile}`);
}
