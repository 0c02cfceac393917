import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  checkNotRead,
  storageError,
  type InputPlace,
  evaluationOf,
  type Checkpoint,
  partialName,
} from '@fourfold/store';
import { FourfoldError, systemErrorCode, sha256 } from '@fourfold/common';
import type { Picture } from '@fourfold/imaging';
import type { GeneratorWeights } from '@fourfold/weights';
import type { Format } from './format.js';
import { describeModel, factsOf, type Stated, type WrittenFile } from './model-card.js';
import { largestDifference } from './trial-picture.js';
import { formatCount } from '../terminal/table.js';

export interface ExportOptions {
  checkpoint: Checkpoint;
  weights: GeneratorWeights;
  format: Format;
  /** Folder to create; it must not exist, or be empty, which `checkExportPlace` checks. */
  out: string;
  /** For the model card. */
  stated?: Stated;
  /** What the written files are run on. */
  pictures: Picture[];
  /** The pictures as the generator makes them, with zeros around them. */
  expected: Picture[];
}

export interface ExportReport {
  files: WrittenFile[];
  /** What ran the written files, and the largest difference of a pixel from the expected one in grey levels. */
  checks: { runtime: string; largestDifference: number }[];
  notChecked: string[];
}

/** Grey levels that a pixel may differ by: another order of the same sums may round to the next level. */
const tolerance = 1;

/**
 * Write a generator in a format, run the result, and compare its pixels with the expected ones. The folder appears once all of
 * that is done; an error leaves nothing changed. Throws `mismatch` for pixels that differ by more than a grey level.
 */
export async function exportGenerator(options: ExportOptions): Promise<ExportReport> {
  const { checkpoint, weights, format, stated = {} } = options;
  const out = resolve(options.out);
  await mkdir(dirname(out), { recursive: true }).catch((error: unknown) => {
    throw storageError(options.out, 'written', error);
  });
  const temporary = join(dirname(out), `.${basename(out)}${partialName()}`);
  try {
    await mkdir(temporary);
    const files = await format.write(weights, factsOf(checkpoint, stated));
    for (const [name, body] of Object.entries(files)) await writeFile(join(temporary, name), body);
    const checked = await check(temporary, options);
    const written = Object.entries(files).map(([name, body]) => ({
      name,
      sizeBytes: Buffer.byteLength(body),
      sha256: sha256(body),
    }));
    const evaluation = await evaluationOf(checkpoint);
    const card = describeModel({ checkpoint, evaluation, weights, format, stated, files: written, ...checked });
    await writeFile(join(temporary, 'README.md'), card);
    // It replaces an empty folder.
    await rename(temporary, out);
    return { files: written, ...checked };
  } catch (error) {
    const isOurs = error instanceof FourfoldError || systemErrorCode(error) === undefined;
    throw isOurs ? error : storageError(options.out, 'written', error);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Run the files of a folder by every runtime that can. */
async function check(folder: string, { format, pictures, expected }: ExportOptions) {
  const { runtimes, notChecked } = await format.open(folder);
  const checks: ExportReport['checks'] = [];
  for (const { name, upscale } of runtimes) {
    let largest = 0;
    for (const [i, picture] of pictures.entries()) {
      largest = Math.max(largest, largestDifference(await upscale(picture), expected[i]));
    }
    if (!(largest <= tolerance)) {
      const what = Number.isFinite(largest)
        ? `differs by up to ${formatCount(largest, 'grey level')}`
        : 'differs in size';
      throw new FourfoldError('mismatch', `the written model, run by ${name}, ${what} from fourfold’s generator`, {
        hint: 'nothing was written; please report this with the checkpoint',
      });
    }
    checks.push({ runtime: name, largestDifference: largest });
  }
  return { checks, notChecked };
}

/** Throw `invalid` for a folder that is not empty, for a file, and for a place that belongs to what is read. */
export async function checkExportPlace(asGiven: string, inputs: readonly InputPlace[]): Promise<void> {
  await checkNotRead(asGiven, inputs);
  let files: string[];
  try {
    files = await readdir(asGiven);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return;
    throw storageError(asGiven, 'read', error);
  }
  if (files.length > 0) {
    throw new FourfoldError('invalid', `${asGiven} is not empty`, { hint: 'name another folder' });
  }
}
