import { Option, type Command } from 'commander';
import type { PlaneArguments } from '../plane/plane-arguments.js';
import { checkOutputFile, checkpointInputs } from '@fourfold/store';
import { FourfoldError, lpipsChoices } from '@fourfold/common';
import { baselineNames } from '../evaluation-table.js';
import { lpipsFacts } from '../lpips/open-lpips.js';
import { formatCount } from '../terminal/table.js';
import { generatorPlace } from '../upscaling/generator-place.js';
import { modelNames } from '../upscaling/models.js';
import {
  backendOption,
  collect,
  forceOption,
  jsonOption,
  lpipsWeightsOption,
  modelOption,
  printJson,
  wholeNumber,
} from './arguments.js';

/** `fourfold plane`. */

export function registerPlane(program: Command): void {
  program
    .command('plane')
    .summary('draw PSNR against LPIPS of methods, generators and the blends between two')
    .description(
      'Draw the perception-distortion plane as an SVG: a point for each method and generator, by its mean PSNR and LPIPS on the ' +
        'pictures, measured as evaluate does, and the path of the blends between two generators. If nothing is chosen, these are bicubic, ' +
        'lanczos and the generators that come with fourfold. Beside astronaut, chelsea, coffee and rocket, figures of other ' +
        'software are shown.',
    )
    .requiredOption('--images <place>', 'folder, zip or tar of pictures that were not trained on')
    .requiredOption('--out <file>', 'SVG to draw')
    .addOption(
      new Option('--method <name...>', 'baseline to measure; may be repeated').choices(baselineNames).default([]),
    )
    .addOption(modelOption())
    .option('--checkpoint <url>', 'folder of a checkpoint, or of a run; may be repeated', collect, [])
    .option(
      '--blend <generator...>',
      'two generators of one shape, each a name as --model takes it, or a checkpoint’s place',
    )
    .option('--steps <count>', 'number of blends between the two', wholeNumber(0), 4)
    .addOption(new Option('--lpips <network>', 'network of LPIPS').choices(lpipsChoices).default('alex'))
    .addOption(lpipsWeightsOption())
    .addOption(backendOption())
    .addOption(forceOption('an SVG'))
    .option('--csv', 'print the points as CSV')
    .addOption(jsonOption().conflicts('csv'))
    .action(async (options: PlaneArguments) => {
      const chosen = withDefaults(options);
      const { images, out, checkpoint, blend, force } = chosen;
      if (!out.endsWith('.svg')) {
        throw new FourfoldError('invalid', `--out is ${out}: its name must end in .svg`, { hint: 'name an SVG' });
      }
      if (blend && blend.length !== 2) {
        throw new FourfoldError(
          'invalid',
          `--blend names ${formatCount(blend.length, 'generator')}: it must name two`,
          {
            hint: 'as in --blend out/store/runs/mse out/store/runs/gan',
          },
        );
      }
      await checkOutputFile(out, {
        inputs: [images, ...[...checkpoint, ...(blend ?? []).map(generatorPlace)].flatMap(checkpointInputs)],
        force,
      });
      const { runPlane } = await import('../plane/run-plane.js');
      const { points, text, csv } = await runPlane(chosen);
      if (chosen.json) return printJson({ lpips: lpipsFacts(chosen.lpips), images, points });
      console.log(chosen.csv ? csv : text);
    });
}

/** Baselines and shipped generators where nothing was chosen, with the path between these. */
function withDefaults(options: PlaneArguments): PlaneArguments {
  const { method, model, checkpoint, blend } = options;
  if (method.length + model.length + checkpoint.length > 0 || blend) return options;
  return {
    ...options,
    method: ['bicubic', 'lanczos'],
    model: [...modelNames],
    blend: ['srresnet-mse', 'srgan'],
  };
}
