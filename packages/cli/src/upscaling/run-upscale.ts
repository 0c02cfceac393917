import { checkNotRead, checkpointInputs, openCheckpoint, readGenerator } from '@fourfold/store';
import { FourfoldError, readGivenFile } from '@fourfold/common';
import { withName } from '@fourfold/imaging';
import { printJson, type BackendChoice } from '../commands/arguments.js';
import { modelFolder } from '../assets.js';
import { sayDamaged } from '../damaged.js';
import { abortOnInterruption, Interruption } from '../interruption.js';
import { describeLeft } from '../terminal/left-files.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { formatCount, formatDuration } from '../terminal/table.js';
import { writtenFormat } from './encoding.js';
import type { LeftFile } from './folder-plan.js';
import type { OutputFormat } from './formats.js';
import type { ModelName } from './models.js';
import { checkOutputPlace } from './output-place.js';
import { fileOutput, readPipedPicture, standardOutput } from './picture-places.js';
import type { Scale } from './scales.js';
import { standardStream } from './standard-stream.js';
import type { UpscaleFileOptions } from './upscale-file.js';
import type { UpscaledPicture } from './upscale-folder.js';

export interface UpscaleArguments {
  model: ModelName;
  checkpoint?: string;
  scale: `${Scale}`;
  format?: OutputFormat;
  tile: number;
  force: boolean;
  backend: BackendChoice;
  json?: true;
}

/** `fourfold upscale` of a single picture. */
export async function upscaleOneFile(input: string, output: string, options: UpscaleArguments): Promise<void> {
  const { force, format, json } = options;
  const signal = abortOnInterruption();
  const { checkpoint } = options;
  const isPiped = { input: input === standardStream, output: output === standardStream };
  if (!isPiped.output) {
    await checkOutputPlace(output, { inputs: [...(isPiped.input ? [] : [input]), ...inputsOf(checkpoint)], force });
  }
  const to = isPiped.output ? standardOutput(format) : fileOutput(output, format ?? writtenFormat(output), force);
  const name = isPiped.input ? 'standard input' : input;
  const bytes = isPiped.input ? await readPipedPicture(signal) : await readGivenFile(input);
  const { readSourcePicture } = await import('./source-picture.js');
  // A picture that cannot be read is refused before a backend starts.
  const source = await withName(name, readSourcePicture(bytes));
  const { work, facts } = await startWork(options);
  const { upscaleFile } = await import('./upscale-file.js');
  const started = performance.now();
  const report = await withBar(work.scale, (update) => {
    const onProgress = (share: number, pixels: number) => update(share * pixels, pixels, '');
    return upscaleFile({ ...work, name, source, output: to, onProgress, signal });
  });
  const picture = { input, output, ...report, seconds: secondsSince(started) };
  sayLosses(name, picture.losses);
  if (json) printJson({ ...facts, pictures: [picture], left: [], kept: [], failed: [] });
  else (isPiped.output ? console.error : console.log)(describePicture({ ...picture, output: to.name }));
}

/** `fourfold upscale` of a folder. Throws `invalid` at its end if a picture could not be upscaled. */
export async function upscaleWholeFolder(folder: string, output: string, options: UpscaleArguments): Promise<void> {
  const { force, format, json } = options;
  const signal = abortOnInterruption();
  const { checkpoint } = options;
  await checkNotRead(output, [folder, ...inputsOf(checkpoint)]);
  const { planFolder } = await import('./folder-plan.js');
  const plan = await planFolder(folder, output, { format, force });
  const { left, kept, clashing } = plan;
  sayLeft(`left out ${formatCount(left.length, 'file')}:`, left);
  sayLeft(`kept ${formatCount(kept.length, 'result')}; --force makes them again:`, kept);
  const { work, facts } = await startWork(options);
  const { upscaleFolder } = await import('./upscale-folder.js');
  const started = performance.now();
  const { pictures, failed, ended } = await withBar(work.scale, (onProgress) =>
    upscaleFolder(plan, { ...work, folder, force, onProgress, signal }),
  );
  for (const { input, losses } of pictures) sayLosses(input, losses);
  const allFailed = [...clashing, ...failed];
  sayLeft(`could not upscale ${formatCount(allFailed.length, 'picture')}:`, allFailed);
  if (json) printJson({ ...facts, pictures, left, kept, failed: allFailed });
  else console.log(describeFolder(output, pictures, kept.length, performance.now() - started));
  if (ended) {
    if (ended instanceof Interruption) console.error('fourfold: the same command continues with the other pictures');
    throw ended;
  }
  if (allFailed.length === 0) return;
  const all = formatCount(allFailed.length + pictures.length + kept.length, 'picture');
  throw new FourfoldError('invalid', `${folder}: ${allFailed.length} of ${all} could not be upscaled`);
}

/** The places of a user's checkpoint that no output may take. */
const inputsOf = (checkpoint: string | undefined) => (checkpoint === undefined ? [] : checkpointInputs(checkpoint));

/** The generator on its backend, and what a report says of it. */
async function startWork({ model, checkpoint: given, scale, tile, backend }: UpscaleArguments) {
  const checkpoint = await openCheckpoint(given ?? modelFolder(model), sayDamaged);
  const weights = await readGenerator(checkpoint);
  // A refusal of the checkpoint need not wait for TensorFlow.js.
  const { createUpscaler, startBackend } = await import('./generator.js');
  const { backend: chosen } = await startBackend(backend);
  const { regionSteps } = createUpscaler(weights, 'reflection');
  const { run, iteration } = checkpoint.manifest;
  const times = Number(scale) as Scale;
  const work: Pick<UpscaleFileOptions, 'scale' | 'tile' | 'upscale'> = { scale: times, tile, upscale: regionSteps };
  const origin = given === undefined ? { model } : { checkpoint: checkpoint.store.url };
  return { work, facts: { ...origin, run, iteration, backend: chosen, scale: times } };
}

/** Results of up to this many megapixels are done too soon for a progress bar. */
const fewMegapixels = 1;

/** Work with a bar on stderr that counts megapixels of the results; its callback takes pixels of the pictures. */
async function withBar<T>(
  scale: Scale,
  work: (update: (done: number, total: number, detail: string) => void) => Promise<T>,
): Promise<T> {
  const bar = createProgressBar('upscale', 'megapixels');
  const megapixels = (pixels: number) => Math.round((pixels * scale ** 2) / 1e5) / 10;
  try {
    return await work((done, total, detail) => {
      if (megapixels(total) > fewMegapixels) bar.update(megapixels(done), megapixels(total), detail);
    });
  } finally {
    bar.stop();
  }
}

const secondsSince = (started: number): number => Math.round(performance.now() - started) / 1000;

function sayLosses(name: string, losses: readonly string[]): void {
  for (const loss of losses) console.error(`fourfold: ${name}: ${loss}`);
}

function sayLeft(title: string, files: readonly LeftFile[]): void {
  if (files.length > 0) console.error(`${title}\n${describeLeft([...files])}`);
}

const describePicture = ({ output, from, to, seconds }: UpscaledPicture): string =>
  `${output}: ${to.width}x${to.height} from ${from.width}x${from.height} in ${seconds.toFixed(1)} s`;

function describeFolder(output: string, pictures: readonly UpscaledPicture[], kept: number, ms: number): string {
  if (pictures.length === 0) return `${output}: nothing new; ${formatCount(kept, 'result')} kept`;
  const pixels = pictures.reduce((sum, { to }) => sum + to.width * to.height, 0);
  return `${output}: ${formatCount(pictures.length, 'picture')}, ${(pixels / 1e6).toFixed(1)} megapixels, in ${formatDuration(ms)}`;
}
