import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import sharp from 'sharp';
import { FourfoldError } from '@fourfold/common';
import { isPictureName, listFiles, whyNoPicture } from '@fourfold/imaging';
import { formatOfName, type OutputFormat } from './formats.js';

/** A picture of a folder, and its result in another. */
export interface PlannedPicture {
  /** Its path below the folder, with slashes. */
  name: string;
  input: string;
  output: string;
  format: OutputFormat;
  /** Its number of pixels; 0 if its header cannot be read. */
  pixels: number;
}

/** A file that is not upscaled, with the reason. */
export interface LeftFile {
  file: string;
  reason: string;
}

/** What is done with the files of a folder. */
export interface FolderPlan {
  pictures: PlannedPicture[];
  /** Files that are not named like pictures. */
  left: LeftFile[];
  /** Pictures whose results exist and may not be overwritten. */
  kept: LeftFile[];
  /** Pictures that would have the same output as another. */
  clashing: LeftFile[];
}

/**
 * Plan the upscaling of a folder and its subfolders into the same places of another folder. Throws `not-found` or `invalid` for a
 * folder that cannot be listed or holds no pictures.
 */
export async function planFolder(
  folder: string,
  outFolder: string,
  { format, force }: { format: OutputFormat | undefined; force: boolean },
): Promise<FolderPlan> {
  const plan: FolderPlan = { pictures: [], left: [], kept: [], clashing: [] };
  const inputByOutput = new Map<string, string>();
  const keptByIdentity = new Map<string, { name: string; result: string }>();
  for (const name of await listFiles(folder)) {
    if (!isPictureName(name)) {
      plan.left.push({ file: name, reason: whyNoPicture(name) });
      continue;
    }
    const result = outputOf(name, format);
    const other = inputByOutput.get(result.name);
    const output = join(outFolder, result.name);
    const existing = await identityOf(output);
    const kept = existing === undefined ? undefined : keptByIdentity.get(existing);
    // A file system that ignores case has one file for both names.
    const clashing = other ?? (kept && folded(kept.result) === folded(result.name) ? kept.name : undefined);
    if (clashing !== undefined)
      plan.clashing.push({ file: name, reason: `its result would be ${output}, as that of ${clashing}` });
    else if (!force && existing !== undefined) {
      plan.kept.push({ file: name, reason: 'its result exists already' });
      keptByIdentity.set(existing, { name, result: result.name });
    } else plan.pictures.push({ ...{ name, output, format: result.format }, ...(await measured(join(folder, name))) });
    if (other === undefined) inputByOutput.set(result.name, name);
  }
  if (plan.pictures.length + plan.kept.length === 0) throw noPictures(folder, plan.left);
  return plan;
}

/** The name of a picture's result: its own, with another extension if its format is another one. Formats that are not written become PNG. */
export function outputOf(name: string, wanted: OutputFormat | undefined): { name: string; format: OutputFormat } {
  const own = formatOfName(name);
  const format = wanted ?? own ?? 'png';
  if (own === format) return { name, format };
  return { name: `${name.slice(0, name.length - extname(name).length)}.${format}`, format };
}

/** The file that a path names, by device and inode; undefined if there is none. */
export const identityOf = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => undefined,
  );

const folded = (name: string): string => name.normalize('NFC').toLowerCase();

/** A damaged header is reported when the picture's turn comes. */
async function measured(input: string): Promise<{ input: string; pixels: number }> {
  const { width, height } = await sharp(input, { limitInputPixels: false })
    .metadata()
    .catch(() => ({ width: 0, height: 0 }));
  return { input, pixels: width * height };
}

function noPictures(folder: string, left: readonly LeftFile[]): FourfoldError {
  const first = left.length > 0 ? ` (${left.length} left out; the first: ${left[0].file}: ${left[0].reason})` : '';
  return new FourfoldError('invalid', `folder ${folder} holds no pictures${first}`, {
    hint: 'name a folder of JPEG, PNG, WebP, TIFF, AVIF or GIF files',
  });
}
