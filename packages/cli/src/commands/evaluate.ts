import { Option, type Command } from 'commander';
import { FourfoldError } from '@fourfold/common';
import type { Picture } from '@fourfold/data-loader';
import { openCheckpoint, readGenerator } from '../checkpoint-source.js';
import {
  baselineNames,
  describeEvaluation,
  evaluatePictures,
  upscaleBaseline,
  type BaselineName,
} from '../evaluation-table.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { defaultTile } from '../upscaling/tiles.js';
import { backendOption, jsonOption, printJson, type BackendChoice } from './arguments.js';

interface EvaluateArguments {
  images: string;
  checkpoint?: string;
  method?: BaselineName;
  backend: BackendChoice;
  json?: true;
}

/** `fourfold evaluate`. */
export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .summary('measure PSNR and SSIM of a checkpoint or a baseline')
    .description(
      'Measure 4x upscaling on the pictures of a folder: each is cropped to multiples of 4, reduced by MATLAB-compatible ' +
        'bicubic, upscaled by the checkpoint or the method, and compared with the original (PSNR and SSIM on Y, without ' +
        'a 4-pixel border).',
    )
    .requiredOption('--images <dir>', 'folder of pictures, not among those trained on')
    .option('--checkpoint <url>', "a checkpoint's folder, or a run's for its newest whole checkpoint")
    .addOption(new Option('--method <name>', 'a baseline').choices(baselineNames).conflicts('checkpoint'))
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(async ({ images, checkpoint, method, backend, json }: EvaluateArguments) => {
      const subject = await openSubject(checkpoint, method, backend);
      const bar = createProgressBar('evaluate', 'pictures');
      try {
        const table = await evaluatePictures(images, subject.upscale, (done, total) => bar.update(done, total, ''));
        bar.stop();
        if (json) printJson({ ...subject.facts, images, ...table });
        else console.log(describeEvaluation(table));
      } finally {
        bar.stop();
      }
    });
}

/** What is measured, and what to say about it. */
async function openSubject(url: string | undefined, method: BaselineName | undefined, choice: BackendChoice) {
  if (method) return { facts: { method }, upscale: (lr: Picture) => upscaleBaseline(method, lr) };
  if (!url) {
    throw new FourfoldError('invalid', 'evaluate: nothing to measure', {
      mend: `give --checkpoint URL, or --method ${baselineNames.join('|')}`,
    });
  }
  const checkpoint = await openCheckpoint(url);
  const weights = await readGenerator(checkpoint);
  const { createUpscaler, startBackend } = await import('../upscaling/generator.js');
  const { backend } = await startBackend(choice);
  const generator = createUpscaler(weights);
  const facts = { checkpoint: checkpoint.store.url, iteration: checkpoint.manifest.iteration, backend };
  return { facts, upscale: (lr: Picture) => generator.upscale(lr, defaultTile) };
}
