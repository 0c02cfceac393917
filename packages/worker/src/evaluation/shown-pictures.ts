import { cropPicture, resizeBy, type Picture } from '@fourfold/imaging';

/** Longest side of what is shown of a picture, in HR pixels, so that pages stay light. */
const windowPixels = 512;

/** The same region of a validation picture: SR, and what to compare it with. */
export interface ShownPicture {
  sr: Picture;
  /** Requested once, since they never change. */
  references?: { original: Picture; bicubic: Picture };
}

/** What is shown of a picture: the region in its middle. `hr` and `sr` are 4 times as wide and high as `lr`. */
export function shownPicture(pictures: Record<'lr' | 'hr' | 'sr', Picture>, withReferences: boolean): ShownPicture {
  const { lr, hr, sr } = pictures;
  if (!withReferences) return { sr: middle(sr) };
  return { sr: middle(sr), references: { original: middle(hr), bicubic: middle(resizeBy(lr, 4, 'cubic')) } };
}

function middle(picture: Picture): Picture {
  const width = Math.min(picture.width, windowPixels);
  const height = Math.min(picture.height, windowPixels);
  const left = (picture.width - width) >> 1;
  const top = (picture.height - height) >> 1;
  return cropPicture(picture, { left, top, width, height });
}
