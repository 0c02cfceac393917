import type { Command } from 'commander';
import { checkOutputFile, openStore, checkpointInputs, openCheckpoint, readGenerator } from '@fourfold/store';
import { didYouMean, FourfoldError } from '@fourfold/common';
import { baselineNames, type BaselineName } from '../evaluation-table.js';
import { modelFolder } from '../assets.js';
import { sayDamaged } from '../damaged.js';
import { abortOnInterruption } from '../interruption.js';
import type { Method } from '../mos/prepare-study.js';
import { studyFolder, studyInput } from '../mos/study.js';
import { writeFigure } from '../report/write-figure.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { formatCount } from '../terminal/table.js';
import type { ModelName } from '../upscaling/models.js';
import { defaultTile } from '../upscaling/tiles.js';
import {
  backendOption,
  collect,
  forceOption,
  hostPort,
  jsonOption,
  modelOption,
  printJson,
  wholeNumber,
  type BackendChoice,
} from './arguments.js';

interface PrepareArguments {
  images: string;
  out: string;
  method: string[];
  model: ModelName[];
  checkpoint: string[];
  pictures: string[];
  calibration?: string;
  repeats: number;
  seed: number;
  name: string;
  backend: BackendChoice;
  json?: true;
}

/** `fourfold mos`: the opinion test. */
// eslint-disable-next-line max-lines-per-function -- a list of commands and their options
export function registerMos(program: Command): void {
  const mos = program
    .command('mos')
    .summary('an opinion test: people rate pictures from 1 to 5')
    .description(
      'An opinion test (MOS) as in the paper: people rate what each method made of each picture, without knowing which.',
    );
  mos
    .command('prepare')
    .summary('make the versions of all pictures')
    .description(
      `Write a study to a folder: each picture is reduced, and upscaled by each method. --method takes ${baselineNames.join(', ')} ` +
        'and original; other methods get a name: --checkpoint srgan=s3://models/runs/srgan/best, --pictures esrgan=out/esrgan. At most 12 methods.',
    )
    .requiredOption('--images <place>', 'folder, zip or tar of pictures that were not trained on')
    .requiredOption('--out <dir>', 'folder of the study, on this machine')
    .option('--method <name>', 'baseline, or original; may be repeated', collect, [])
    .addOption(modelOption())
    .option('--checkpoint <name=url>', 'name and place of a generator; may be repeated', collect, [])
    .option(
      '--pictures <name=dir>',
      'pictures made by other software, with the paths of the originals, or their names if unique; may be repeated',
      collect,
      [],
    )
    .option(
      '--calibration <dir>',
      'pictures whose nearest and original versions first show raters what a 1 and a 5 are',
    )
    .option('--repeats <count>', 'number of versions that each rater sees twice', wholeNumber(0), 0)
    .option('--seed <number>', 'seed of the orders', wholeNumber(0), 0)
    .option('--name <name>', 'name of the study', 'study')
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(prepare);
  mos
    .command('serve')
    .summary('the page where people rate')
    .description(
      'Serve the rating page until it is stopped. Ratings are stored at once; a rater who comes back continues. ' +
        'Each picture pixel is one display pixel, whatever the display’s scaling and the zoom.',
    )
    .argument('<study>', 'folder that `mos prepare` wrote')
    .option('--http <host:port>', 'address of the page; port 0 takes a free one', hostPort, '127.0.0.1:8090')
    .action(serve);
  mos
    .command('report')
    .summary('report means with 95% intervals, distributions, and the raters’ consistency')
    .argument('<study>', 'folder that `mos prepare` wrote')
    .option('--figure <file>', 'PNG to draw: the distributions')
    .addOption(forceOption('a figure'))
    .addOption(jsonOption())
    .action(async (study: string, { figure, force, json }: { figure?: string; force: boolean; json?: true }) => {
      if (figure) await checkOutputFile(figure, { inputs: [studyInput(studyFolder(study))], force });
      const { describeReport, reportStudy } = await import('../mos/report-study.js');
      const report = await reportStudy(studyFolder(study));
      if (figure) {
        const { drawOpinions } = await import('../mos/draw-opinions.js');
        await writeFigure(figure, drawOpinions(report.opinions), { force });
      }
      if (json) printJson(report);
      else console.log(describeReport(report));
    });
}

async function prepare({
  images,
  out,
  calibration,
  repeats,
  seed,
  name,
  json,
  model,
  ...options
}: PrepareArguments): Promise<void> {
  const shipped = model.map((name) => `${name}=${modelFolder(name)}`);
  const choice = { ...options, checkpoint: [...shipped, ...options.checkpoint] };
  const folder = studyFolder(out);
  const { openStudyPlace, prepareStudy } = await import('../mos/prepare-study.js');
  const inputs = [images, ...(calibration ? [calibration] : [])];
  const ready = choice.pictures.map((given) => named('--pictures', given).value);
  const checkpoints = choice.checkpoint.flatMap((given) => checkpointInputs(named('--checkpoint', given).value));
  const place = await openStudyPlace(openStore(folder), [...inputs, ...ready, ...checkpoints]);
  const bar = createProgressBar('prepare', 'versions');
  try {
    const study = await prepareStudy({
      ...{ name, seed, repeats },
      images,
      calibration,
      methods: await methodsOf({ images, ...choice }),
      out: place,
      onProgress: (done, total) => bar.update(done, total, ''),
    });
    bar.stop();
    const versions = study.versions.length;
    if (json) return printJson({ study: folder, versions, methods: study.methods });
    console.log(
      `study ${name}: ${formatCount(versions, 'version')} by ${formatCount(study.methods.length, 'method')}; next: fourfold mos serve ${out}`,
    );
  } finally {
    bar.stop();
  }
}

async function methodsOf({
  images,
  method,
  checkpoint,
  pictures,
  backend,
}: Pick<PrepareArguments, 'images' | 'method' | 'checkpoint' | 'pictures' | 'backend'>) {
  const { baseline, original, readyPictures } = await import('../mos/prepare-study.js');
  const methods: Method[] = method.map((name) => {
    if (name === original.name) return original;
    if ((baselineNames as readonly string[]).includes(name)) return baseline(name as BaselineName);
    const known = [...baselineNames, original.name];
    throw new FourfoldError('invalid', `--method is ${name}: it must be one of ${known.join(', ')}`, {
      hint: didYouMean(name, known),
    });
  });
  if (checkpoint.length > 0) {
    const { createUpscaler, startBackend } = await import('../upscaling/generator.js');
    await startBackend(backend);
    for (const given of checkpoint) {
      const { name, value } = named('--checkpoint', given);
      const { upscale } = createUpscaler(await readGenerator(await openCheckpoint(value, sayDamaged)), 'reflection');
      methods.push({ name, make: (lr) => upscale(lr, defaultTile) });
    }
  }
  for (const given of pictures) {
    const { name, value } = named('--pictures', given);
    methods.push(await readyPictures(name, value, images));
  }
  return methods;
}

function named(option: string, given: string): { name: string; value: string } {
  const [, name, value] = /^([\w.-]+)=(.+)$/.exec(given) ?? [];
  if (!name) throw new FourfoldError('invalid', `${option} ${given}: give it a name, as in NAME=${given || 'URL'}`);
  return { name, value };
}

async function serve(study: string, { http }: { http: string }): Promise<void> {
  const { serveStudy } = await import('../mos/serve-study.js');
  const signal = abortOnInterruption();
  const server = await serveStudy(studyFolder(study), http, (path, error) =>
    console.error(`fourfold: ${path}:`, error),
  );
  console.log(`http://${server.address}/ serves the study in ${study}; Ctrl-C ends it`);
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await server.close();
  throw signal.reason;
}
