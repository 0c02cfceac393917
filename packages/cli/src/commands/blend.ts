import { InvalidArgumentError, type Command } from 'commander';
import { checkpointInputs, openCheckpoint } from '@fourfold/store';
import { sayDamaged } from '../damaged.js';
import { generatorPlace } from '../upscaling/generator-place.js';
import { jsonOption, printJson } from './arguments.js';

interface BlendArguments {
  alpha: number;
  out: string;
  json?: true;
}

/** `fourfold blend`. */
export function registerBlend(program: Command): void {
  program
    .command('blend')
    .summary('interpolate between two generators of the same shape')
    .description(
      'Write a checkpoint whose generator lies between two others (ESRGAN’s network interpolation): each weight is 1 - alpha times ' +
        'the first’s plus alpha times the second’s. Between a generator trained by mean squared error and the SRGAN that began with ' +
        'it, this trades fidelity for sharpness.',
    )
    .argument(
      '<first>',
      'folder of a checkpoint, or of a run for its newest intact checkpoint, or name of one that comes with fourfold',
    )
    .argument('<second>', 'another one, with the same channels and blocks')
    .requiredOption('--alpha <share>', 'share of the second, from 0 to 1', share)
    .requiredOption('--out <dir>', 'folder to create, with the checkpoint and a card')
    .addOption(jsonOption())
    .action(async (first: string, second: string, { alpha, out, json }: BlendArguments) => {
      const [{ checkExportPlace }, { blendGenerators }] = await Promise.all([
        import('../exporting/export-generator.js'),
        import('../exporting/blend-generators.js'),
      ]);
      await checkExportPlace(out, [first, second].map(generatorPlace).flatMap(checkpointInputs));
      const checkpoints = {
        first: await openCheckpoint(generatorPlace(first), sayDamaged),
        second: await openCheckpoint(generatorPlace(second), sayDamaged),
      };
      const url = await blendGenerators({ ...checkpoints, alpha }, out);
      if (json)
        return printJson({ checkpoint: url, alpha, of: [checkpoints.first.store.url, checkpoints.second.store.url] });
      console.log(`${alpha} of ${second}, the rest of ${first}: ${url}`);
      console.log(`npx fourfold upscale IN.jpg OUT.png --checkpoint ${out}`);
    });
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}
