import { Option, type Command } from 'commander';
import { checkOutputFile, checkpointInputs } from '@fourfold/store';
import { FourfoldError, lpipsChoices, type LpipsChoice } from '@fourfold/common';
import {
  describeOmissions,
  describeSets,
  evaluationFormats,
  type EvaluationFormat,
} from '../evaluation/describe-sets.js';
import { evaluateSets, type SetEvaluation } from '../evaluation/evaluate-sets.js';
import type { Figure } from '../evaluation/figure.js';
import { openSubjects } from '../evaluation/open-subjects.js';
import { baselineNames, type BaselineName } from '../evaluation-table.js';
import { lpipsFacts, openLpips } from '../lpips/open-lpips.js';
import { abortOnInterruption } from '../interruption.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { modelNames, type ModelName } from '../upscaling/models.js';
import {
  backendOption,
  collect,
  forceOption,
  jsonOption,
  lpipsWeightsOption,
  modelOption,
  printJson,
  type BackendChoice,
} from './arguments.js';

interface EvaluateArguments {
  images: string[];
  checkpoint: string[];
  method: BaselineName[];
  model: ModelName[];
  backend: BackendChoice;
  lpips?: LpipsChoice;
  lpipsWeights?: string;
  format: EvaluationFormat;
  figure?: string;
  figurePictures: string[];
  crop?: string;
  force: boolean;
  strict: boolean;
  json?: true;
}

/** `fourfold evaluate`. */
// eslint-disable-next-line max-lines-per-function -- a list of options
export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .summary('measure PSNR, SSIM and LPIPS of checkpoints and baselines')
    .description(
      'Measure 4x upscaling on sets of pictures: each is cropped to multiples of 4, reduced by MATLAB-compatible ' +
        'bicubic, upscaled by the checkpoint or the method, and compared with the original (PSNR and SSIM on Y, without ' +
        'a 4-pixel border). The paper’s results are shown beside those of Set5, Set14 and BSD100 if the set is complete. ' +
        'Files left out, and pictures that are damaged, are listed on stderr.',
    )
    .requiredOption(
      '--images <place>',
      'folder, zip or tar of pictures that were not trained on; may be repeated',
      collect,
    )
    .option(
      '--checkpoint <url>',
      'folder of a checkpoint, or of a run for its newest intact checkpoint; may be repeated',
      collect,
      [],
    )
    .addOption(
      new Option('--method <name...>', 'baseline to measure, too; may be repeated').choices(baselineNames).default([]),
    )
    .addOption(modelOption())
    .addOption(backendOption())
    .addOption(
      new Option('--lpips <network>', 'also measure LPIPS 0.1 of the whole pictures, with this network').choices(
        lpipsChoices,
      ),
    )
    .addOption(lpipsWeightsOption())
    .addOption(new Option('--format <name>', 'format of the tables').choices(evaluationFormats).default('text'))
    .option(
      '--figure <file>',
      'PNG to draw: originals, and a crop of each by every method and checkpoint, side by side',
    )
    .addOption(
      new Option('--figure-pictures <name...>', 'pictures in the figure, one per row').default(
        [],
        'the first 6 measured',
      ),
    )
    .option('--crop <x,y,width,height>', 'crop in the figure, in pixels (default: 96x96 where the methods differ most)')
    .option('--strict', 'stop at the first picture that cannot be measured, instead of listing it', false)
    .addOption(forceOption('a figure'))
    .addOption(jsonOption())
    .action(async (options: EvaluateArguments) => {
      const { images, checkpoint, method, model, backend, format, strict: isStrict, json } = options;
      const figure = await openFigure(options);
      const lpips = options.lpips && (await openLpips(options.lpips, options.lpipsWeights, backend));
      if (method.length + model.length + checkpoint.length === 0) {
        throw new FourfoldError('invalid', 'evaluate: nothing to measure', {
          hint: `give --checkpoint URL, --model ${modelNames.join('|')}, or --method ${baselineNames.join('|')}`,
        });
      }
      const chosen = { methods: method, models: model, checkpoints: checkpoint };
      const subjects = await openSubjects(chosen, backend);
      const signal = abortOnInterruption();
      const bar = createProgressBar('evaluate', 'measurements');
      try {
        const onProgress = (done: number, total: number) => bar.update(done, total, '');
        const sets = await evaluateSets(images, subjects, { onProgress, figure, lpips, isStrict }, signal);
        bar.stop();
        for (const line of describeOmissions(sets)) console.error(line);
        if (json) printJson(jsonOf(sets, options.lpips));
        else console.log(describeSets(sets, format, options.lpips));
        // The scores are printed even if the figure fails.
        await figure?.write();
      } finally {
        bar.stop();
      }
    });
}

/** The figure, if one is asked for. The drawing code is loaded only then. */
async function openFigure(options: EvaluateArguments): Promise<Figure | undefined> {
  const { figure: file, figurePictures, crop, images, checkpoint, force } = options;
  if (file === undefined) {
    if (figurePictures.length === 0 && crop === undefined) return undefined;
    const option = crop === undefined ? '--figure-pictures' : '--crop';
    throw new FourfoldError('invalid', `evaluate: ${option} without a figure`, { hint: 'give --figure FILE.png' });
  }
  await checkOutputFile(file, { inputs: [...images, ...checkpoint.flatMap(checkpointInputs)], force });
  const { createFigure, parseCrop } = await import('../evaluation/figure.js');
  return createFigure({ file, force, pictures: figurePictures, ...(crop !== undefined && { crop: parseCrop(crop) }) });
}

/** A single set and subject are also at the top, as in earlier versions; `sets` is always present. */
function jsonOf(sets: readonly SetEvaluation[], network?: LpipsChoice): object {
  const listed = sets.map(({ set, part, images, subjects, published, left, damaged }) => ({
    set,
    part,
    images,
    subjects: subjects.map(({ name, variant, facts, pictures, mean, identical }) => ({
      ...{ name, variant, ...facts, pictures, mean },
      ...(identical > 0 && { identical }),
    })),
    published,
    left,
    damaged,
  }));
  const [{ images, subjects }] = listed;
  const single = sets.length === 1 && subjects.length === 1;
  return {
    ...(single && { ...subjects[0], images }),
    ...(network && { lpips: lpipsFacts(network) }),
    sets: listed,
  };
}
