import { Option, type Command } from 'commander';
import { checkpointInputs, openCheckpoint, readGenerator } from '@fourfold/store';
import type { OnnxPixels } from '@fourfold/model/export';
import { sayDamaged } from '../damaged.js';
import { formatNames, loadFormat, type FormatName } from '../exporting/formats.js';
import { formatBytes, formatCount } from '../terminal/table.js';
import { backendOption, jsonOption, printJson, type BackendChoice } from './arguments.js';

interface ExportArguments {
  checkpoint: string;
  format: FormatName;
  out: string;
  pixels: OnnxPixels;
  licence?: string;
  dataset?: string;
  python?: string;
  backend: BackendChoice;
  json?: true;
}

/** `fourfold export`. */
export function registerExport(program: Command): void {
  program
    .command('export')
    .summary('write a generator in a format that other programs load')
    .description(
      'Write a checkpoint’s generator for other programs, with a model card, and run the result: its pixels must equal ' +
        'those of fourfold’s generator within one grey level, or nothing is kept.',
    )
    .requiredOption('--checkpoint <url>', 'folder of a checkpoint, or of a run for its newest intact checkpoint')
    .addOption(new Option('--format <name>', 'format to write').choices(formatNames).makeOptionMandatory())
    .requiredOption('--out <dir>', 'folder to create')
    .addOption(
      new Option(
        '--pixels <type>',
        'input and output of an ONNX model: uint8, whole pixels as decoders give them; float, 0 to 1',
      )
        .choices(['uint8', 'float'])
        .default('uint8'),
    )
    .option('--licence <text>', 'licence of the weights, for the model card')
    .option(
      '--dataset <text>',
      'photographs that the run was trained on, for the model card (default: the dataset’s name)',
    )
    .addOption(
      new Option(
        '--python <program>',
        'Python with torch, numpy and safetensors, whose PyTorch runs the safetensors, too',
      ).env('FOURFOLD_PYTHON'),
    )
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(async ({ checkpoint: url, format, out, pixels, python, backend, json, ...stated }: ExportArguments) => {
      const { checkExportPlace, exportGenerator } = await import('../exporting/export-generator.js');
      await checkExportPlace(out, checkpointInputs(url));
      const checkpoint = await openCheckpoint(url, sayDamaged);
      const weights = await readGenerator(checkpoint);
      const [{ createUpscaler, startBackend }, { trialPicture }] = await Promise.all([
        import('../upscaling/generator.js'),
        import('../exporting/trial-picture.js'),
      ]);
      await startBackend(backend);
      const picture = trialPicture();
      const expected = await createUpscaler(weights, 'zeros').upscale(picture, Math.max(picture.width, picture.height));
      const report = await exportGenerator({
        ...{ checkpoint, weights, out, stated },
        format: await loadFormat(format, weights, { pixels, python }),
        pictures: [picture],
        expected: [expected],
      });
      if (json) return printJson({ format, out, checkpoint: checkpoint.store.url, ...report });
      for (const { name, sizeBytes } of report.files) console.log(`${out}/${name}: ${formatBytes(sizeBytes)}`);
      for (const { runtime, largestDifference } of report.checks) {
        console.log(
          `run by ${runtime}: pixels differ from fourfold’s generator by at most ${formatCount(largestDifference, 'grey level')}`,
        );
      }
      for (const reason of report.notChecked) console.log(reason);
    });
}
