import { describeError, validationKey, type Logger, type ObjectStore, type ValidationView } from '@fourfold/common';
import { encodeWebp, type Picture } from '@fourfold/data-loader';
import type { ShownPicture } from './shown-pictures.js';

export interface PictureWriter {
  /** Whether this worker has not written a picture's references yet. */
  wantsReferences(picture: string): boolean;
  /** Write what is shown of a picture after an iteration. Rejects with the store's errors alone. */
  write(picture: string, iteration: number, shown: ShownPicture): Promise<void>;
}

/**
 * Writes validation pictures into a run's store. Each worker writes the references once, so that those of another set of
 * pictures do not stay.
 */
export function createPictureWriter(run: Pick<ObjectStore, 'put'>, log: Logger): PictureWriter {
  const withReferences = new Set<string>();

  async function put(name: string, view: ValidationView, picture: Picture): Promise<void> {
    const body = await encodeWebp(picture).catch((error: unknown) => {
      // The scores are what counts.
      log.warn({ event: 'picture-left-out', picture: name, view, reason: describeError(error) }, 'picture left out');
    });
    if (body) await run.put(validationKey(name, view), body);
  }

  return {
    wantsReferences: (picture) => !withReferences.has(picture),
    async write(picture, iteration, { sr, references }) {
      if (references) {
        await put(picture, 'original', references.original);
        await put(picture, 'bicubic', references.bicubic);
        withReferences.add(picture);
      }
      await put(picture, iteration, sr);
    },
  };
}
