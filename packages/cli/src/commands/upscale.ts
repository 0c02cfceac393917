import { stat } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { FourfoldError } from '@fourfold/common';
import { backendOption, forceOption, jsonOption, wholeNumber } from './arguments.js';
import { outputFormats } from '../upscaling/formats.js';
import { defaultModel, modelNames } from '../upscaling/models.js';
import { scales } from '../upscaling/scales.js';
import type { UpscaleArguments } from '../upscaling/run-upscale.js';
import { standardStream } from '../upscaling/standard-stream.js';
import { defaultTile } from '../upscaling/tiles.js';

/** `fourfold upscale`. */
export function registerUpscale(program: Command): void {
  program
    .command('upscale')
    .summary('upscale a picture, or a folder of them, to 4 times the width and height')
    .description(
      'Upscale a picture to 4 times its width and height. Transparency, ICC profile, EXIF (with its orientation) and XMP ' +
        "are kept. The output's extension decides its format: .png, .jpg, .webp, .tiff or .avif.\n\n" +
        'For a folder, the pictures in it and in its subfolders are upscaled into the same places of another folder, under their own ' +
        'names; a GIF becomes a .png. Results that exist are kept, so that the same command continues an interrupted one.',
    )
    .argument('<input>', 'JPEG, PNG, WebP, TIFF, AVIF, GIF or SVG; a folder of pictures; - for standard input')
    .argument('<output>', 'file to write, in a folder that exists; for a folder, a folder; - for standard output')
    .addOption(
      new Option('--model <name>', 'generator that comes with fourfold')
        .choices(modelNames)
        .default(defaultModel)
        .conflicts('checkpoint'),
    )
    .option(
      '--checkpoint <url>',
      "your own generator: a checkpoint's folder, or a run's for its newest whole checkpoint",
    )
    .addOption(
      new Option('--scale <times>', 'below 4, the result is made smaller by MATLAB’s bicubic')
        .choices(scales.map(String))
        .default('4'),
    )
    .addOption(
      new Option(
        '--format <name>',
        "format of the output, in place of what its name says; standard output has the input's",
      ).choices(outputFormats),
    )
    .option('--tile <pixels>', 'side of the tiles computed at a time, in input pixels', wholeNumber(16), defaultTile)
    .addOption(forceOption('an output'))
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(async (input: string, output: string, options: UpscaleArguments) => {
      const isFolder = await isOfFolders(input, output);
      if (output === standardStream && options.json) {
        throw new FourfoldError('invalid', 'upscale: --json and the picture would both be on standard output', {
          hint: 'name a file for one of them',
        });
      }
      const { upscaleOneFile, upscaleWholeFolder } = await import('../upscaling/run-upscale.js');
      await (isFolder ? upscaleWholeFolder : upscaleOneFile)(input, output, options);
    });
}

/** Whether the input is a folder. Throws `invalid` if the output cannot be one. */
async function isOfFolders(input: string, output: string): Promise<boolean> {
  const isFolder = async (path: string) =>
    path !== standardStream && (await stat(path).catch(() => undefined))?.isDirectory();
  if (!(await isFolder(input))) return false;
  const isFree = output !== standardStream && (await stat(output).catch(() => undefined)) === undefined;
  if (isFree || (await isFolder(output))) return true;
  throw new FourfoldError('invalid', `upscale: ${input} is a folder, so the output must be a folder too`, {
    hint: 'name a folder that does not exist, or one for the results',
  });
}
