import { createRepeats, describeError, type Logger } from '@fourfold/common';
import { validationKey, type ObjectStore, type ValidationView } from '@fourfold/store';
import { encodeWebp, type Picture } from '@fourfold/imaging';
import type { ShownPicture } from './shown-pictures.js';

export interface PictureWriter {
  /** Whether this worker has not written a picture's references yet. */
  wantsReferences(picture: string): boolean;
  /** Write what is shown of a picture after an iteration. Never rejects: only the scores count, and a run continues without it. */
  write(picture: string, iteration: number, shown: ShownPicture): Promise<void>;
}

/**
 * Writes validation pictures into a run's store. Each worker writes the references once, so that those of another set of
 * pictures do not stay.
 */
export function createPictureWriter(run: Pick<ObjectStore, 'put'>, log: Logger): PictureWriter {
  const withReferences = new Set<string>();

  const repeats = createRepeats();

  /** Whether the picture was written. */
  async function put(name: string, view: ValidationView, picture: Picture): Promise<boolean> {
    try {
      await run.put(validationKey(name, view), await encodeWebp(picture));
      return true;
    } catch (error) {
      const times = repeats('left out');
      const about = { picture: name, view, reason: describeError(error), times };
      if (times) log.warn({ event: 'picture-left-out', ...about }, 'picture left out');
      return false;
    }
  }

  return {
    wantsReferences: (picture) => !withReferences.has(picture),
    async write(picture, iteration, { sr, references }) {
      if (references) {
        const original = await put(picture, 'original', references.original);
        const bicubic = await put(picture, 'bicubic', references.bicubic);
        if (original && bicubic) withReferences.add(picture);
      }
      await put(picture, iteration, sr);
    },
  };
}
