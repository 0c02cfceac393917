import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeError, FourfoldError, readGivenFile } from '@fourfold/common';
import { checkOutputFile, listInput, storageError, type InputPlace } from '@fourfold/store';
import { identityOf, type FolderPlan, type LeftFile, type PlannedPicture } from './folder-plan.js';
import { fileOutput } from './picture-places.js';
import { readSourcePicture } from './source-picture.js';
import { upscaleFile, type UpscaleFileOptions, type UpscaleReport } from './upscale-file.js';

/** A picture that was upscaled. */
export interface UpscaledPicture extends UpscaleReport {
  input: string;
  output: string;
  seconds: number;
}

export interface FolderReport {
  pictures: UpscaledPicture[];
  /** Pictures that could not be upscaled. */
  failed: LeftFile[];
  /** What ended the run before its end: an interruption, a full disk. */
  ended?: Error;
}

interface FolderOptions extends Pick<UpscaleFileOptions, 'scale' | 'tile' | 'upscale' | 'signal'> {
  /** The folder that is read. */
  folder: string;
  force: boolean;
  /** `done` and `total` are pixels of the pictures; `picture` is the one that is worked on. */
  onProgress: (done: number, total: number, picture: string) => void;
}

/**
 * Upscale the pictures of a plan one after the other. A picture that cannot be read or written does not end the others; anything else
 * that fails ends the run, and is part of the report.
 */
export async function upscaleFolder({ pictures }: FolderPlan, options: FolderOptions): Promise<FolderReport> {
  const report: FolderReport = { pictures: [], failed: [] };
  const total = pictures.reduce((sum, { pixels }) => sum + pixels, 0);
  const inputByIdentity = new Map<string, string>();
  const read = await listInput(options.folder);
  let done = 0;
  for (const [i, picture] of pictures.entries()) {
    const { name, input, output, pixels } = picture;
    const title = `${i + 1} of ${pictures.length}: ${name}`;
    options.onProgress(done, total, title);
    const started = performance.now();
    try {
      const onProgress = (share: number) => options.onProgress(done + share * pixels, total, title);
      // Two names may be one file: by a link, or where the file system ignores case.
      const other = inputByIdentity.get((await identityOf(output)) ?? '');
      if (other !== undefined) throw clash(output, other);
      const result = await upscaleOne(picture, read, { ...options, onProgress });
      report.pictures.push({ input, output, ...result, seconds: (performance.now() - started) / 1000 });
      const identity = await identityOf(output);
      if (identity !== undefined) inputByIdentity.set(identity, name);
    } catch (error) {
      if (!isOfPicture(error)) return { ...report, ended: error as Error };
      report.failed.push({ file: name, reason: describeError(error) });
    }
    done += pixels;
  }
  options.onProgress(total, total, '');
  return report;
}

const clash = (output: string, other: string) =>
  new FourfoldError('invalid', `its result would be ${output}, as that of ${other}`);

async function upscaleOne(
  { name, input, output, format }: PlannedPicture,
  read: InputPlace,
  { force, ...options }: Omit<FolderOptions, 'onProgress' | 'folder'> & Pick<UpscaleFileOptions, 'onProgress'>,
): Promise<UpscaleReport> {
  await checkOutputFile(output, { inputs: [read], force });
  // Its name stands beside the reason in the report.
  const source = await readSourcePicture(await readGivenFile(input, 'it'));
  await mkdir(dirname(output), { recursive: true }).catch((cause: unknown) => {
    throw storageError(dirname(output), 'written', cause);
  });
  return upscaleFile({ ...options, name, source, output: fileOutput(output, format, force) });
}

/** Whether an error is about one picture or its place, so that the next one may succeed. */
const isOfPicture = (error: unknown): boolean =>
  error instanceof FourfoldError && ['invalid', 'not-found', 'denied'].includes(error.code);
