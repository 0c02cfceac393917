import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { FourfoldError, sha256 } from '@fourfold/common';
import { decodePicture, withName, type Picture, formatsRead } from '@fourfold/imaging';
import { choosePhotographs, type Chosen, type Part } from './layouts.js';
import { openSource } from './open-source.js';
import { whyNone, type SourceFile } from './source.js';

/** Pictures to measure on, and the files left out. */
export interface MeasuredSet extends Pick<Chosen, 'set' | 'part' | 'photographs' | 'left'> {
  /** Its usual name: that of the data set, or of its folder or archive. */
  name: string;
  /** A picture's name in errors. */
  title: (photograph: SourceFile) => string;
  /** A photograph's bytes. Throws `invalid`, or what the store does, naming it. */
  read: (photograph: SourceFile) => Promise<Buffer>;
  /** A photograph, decoded; throws as `read` does. */
  decode: (photograph: SourceFile) => Promise<Picture>;
  close(): Promise<void>;
}

/** Benchmarks and validation parts are for measuring. */
const partsInOrder: readonly Part[] = ['test', 'validation', 'train'];

/**
 * The pictures of a folder, zip, tar or `s3:` URL that are measured. `evaluate`, opinion tests and validation during training share
 * this rule, so that their figures are of the same pictures. Throws `invalid` if there are none, and as `openSource` does.
 */
export async function openMeasuredSet(place: string): Promise<MeasuredSet> {
  const source = await openSource(place);
  const { set, part, photographs, left } = choosePhotographs(source, partsInOrder);
  if (photographs.length === 0) {
    await source.close();
    throw new FourfoldError('invalid', `${source.title} holds no pictures to measure on${whyNone(left)}`, {
      hint: `name a folder, zip or tar of pictures: ${formatsRead} are supported`,
    });
  }
  const title = (photograph: SourceFile) => `${source.title}/${photograph.name}`;
  const read = (photograph: SourceFile) => withName(title(photograph), photograph.read());
  return {
    name: set ?? (basename(source.context.split('/')[0]) || place),
    ...{ set, part, photographs, left, title, read },
    decode: async (photograph) => withName(title(photograph), decodePicture(await read(photograph))),
    close: () => source.close(),
  };
}

/** The digest of a set's names and contents: figures of one digest are of the same pictures. `onPicture` is called after each is read. */
export async function digestOf(
  set: Pick<MeasuredSet, 'photographs' | 'read'>,
  onPicture: () => void = () => undefined,
): Promise<string> {
  const hash = createHash('sha256');
  for (const photograph of set.photographs) {
    hash.update(JSON.stringify([photograph.name, sha256(await set.read(photograph))]));
    onPicture();
  }
  return hash.digest('hex');
}
