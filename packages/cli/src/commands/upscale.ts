import type { Command } from 'commander';
import { checkpointInputs, openCheckpoint, readGenerator } from '@fourfold/store';
import { abortOnInterruption } from '../interruption.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { defaultTile } from '../upscaling/tiles.js';
import { backendOption, forceOption, wholeNumber, type BackendChoice } from './arguments.js';
import { sayDamaged } from '../damaged.js';
import { checkOutputPlace } from '../upscaling/output-place.js';

interface UpscaleArguments {
  checkpoint: string;
  tile: number;
  force: boolean;
  backend: BackendChoice;
}

/** A picture of up to this many tiles is done too soon for a progress bar. */
const fewTiles = 4;

/** `fourfold upscale`. */
export function registerUpscale(program: Command): void {
  program
    .command('upscale')
    .summary('upscale a picture to 4 times its width and height')
    .description(
      'Upscale a picture to 4 times its width and height. Transparency, ICC profile, EXIF (with its orientation) and XMP ' +
        "are kept. The output's extension decides its format: .png, .jpg, .webp, .tiff or .avif.",
    )
    .argument('<input>', 'a JPEG, PNG, WebP, TIFF, AVIF, GIF or SVG')
    .argument('<output>', 'file to write, in a folder that exists')
    .requiredOption('--checkpoint <url>', "a checkpoint's folder, or a run's for its newest whole checkpoint")
    .option('--tile <pixels>', 'side of the tiles computed at a time, in input pixels', wholeNumber(16), defaultTile)
    .addOption(forceOption('an output'))
    .addOption(backendOption())
    .action(async (input: string, output: string, { checkpoint, tile, force, backend }: UpscaleArguments) => {
      const signal = abortOnInterruption();
      await checkOutputPlace(output, { inputs: [input, ...checkpointInputs(checkpoint)], force });
      const weights = await readGenerator(await openCheckpoint(checkpoint, sayDamaged));
      const [{ createUpscaler, resultOf, startBackend }, { upscaleFile }] = await Promise.all([
        import('../upscaling/generator.js'),
        import('../upscaling/upscale-file.js'),
      ]);
      await startBackend(backend);
      const generator = createUpscaler(weights, 'reflection');
      const bar = createProgressBar('upscale', 'tiles');
      const started = performance.now();
      try {
        const { from, to, losses } = await upscaleFile({
          input,
          output,
          force,
          tile,
          upscale: (lr, region) => resultOf(generator.regionSteps(lr, region)),
          onProgress: (done, total) => total > fewTiles && bar.update(done, total, ''),
          signal,
        });
        bar.stop();
        for (const loss of losses) console.error(`fourfold: ${input}: ${loss}`);
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        console.log(`${output}: ${to.width}x${to.height} from ${from.width}x${from.height} in ${seconds} s`);
      } finally {
        bar.stop();
      }
    });
}
