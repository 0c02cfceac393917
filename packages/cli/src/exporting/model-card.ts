import { averageFile, type Checkpoint, type Evaluation } from '@fourfold/store';
import type { GeneratorWeights } from '@fourfold/weights';
import { stringify } from 'yaml';
import { z } from '@fourfold/common/zod';
import type { Format } from './format.js';
import { formatCount } from '../terminal/table.js';

export interface WrittenFile {
  name: string;
  sizeBytes: number;
  sha256: string;
}

/** What the user states about a model. */
export interface Stated {
  licence?: string;
  /** The photographs that it was trained on. */
  dataset?: string;
}

interface CardContent {
  checkpoint: Checkpoint;
  /** Of this checkpoint's generator, if there was one. */
  evaluation: Evaluation | undefined;
  weights: GeneratorWeights;
  format: Format;
  stated: Stated;
  files: WrittenFile[];
  checks: { runtime: string; largestDifference: number }[];
  notChecked: string[];
}

/** The keys of a run's config that shaped the weights. Addresses and paths of machines stay private; old configs lack keys. */
const trainingConfig = z
  .object({
    seed: z.unknown(),
    generator: z.unknown(),
    discriminator: z.unknown(),
    data: z.unknown(),
    loss: z.unknown(),
    phases: z.unknown(),
    scheduleScale: z.unknown(),
    adam: z.unknown(),
    generatorAverage: z.unknown(),
  })
  .partial();
/** Other inputs of the weights and of their evaluation. */
const sources = z
  .object({
    dataset: z.string(),
    startFrom: z.string(),
    vgg: z.string(),
    loss: z.object({ content: z.string(), features: z.object({ network: z.string() }).optional() }),
    phases: z.array(z.object({ kind: z.string() })),
    validation: z.object({ images: z.string() }),
  })
  .partial()
  .catch({});

/** The last name in a place's path. */
const lastName = (place: string) => place.split('/').findLast((part) => part !== '') ?? '';

/** The dataset as the user states it, else the last part of its place; old checkpoints lack both, and a blend has several. */
function datasetOf({ config, blend }: Checkpoint['manifest'], stated: Stated): string | undefined {
  const { dataset } = blend ? {} : sources.parse(config);
  return stated.dataset ?? (dataset === undefined ? undefined : lastName(dataset));
}

/** The generator that evaluate, upscale and export use: the average, if there is one. */
export const generatorFile = ({ manifest }: Checkpoint) =>
  manifest.files[averageFile] ? averageFile : 'generator.safetensors';

/** Facts about a model as text, for formats that have a place for them. */
export function factsOf(checkpoint: Checkpoint, stated: Stated): Record<string, string> {
  const { manifest } = checkpoint;
  return {
    run: manifest.run,
    iteration: String(manifest.iteration),
    licence: stated.licence ?? 'not stated',
    dataset: [datasetOf(manifest, stated) ?? 'not stated', ...manifestHash(manifest)].join(', manifest SHA-256 '),
    generator_sha256: manifest.files[generatorFile(checkpoint)].sha256,
  };
}

/** The model card: config, data, metrics, licence, hashes, and how to load the files. Markdown. */
export function describeModel({
  checkpoint,
  evaluation,
  weights,
  format,
  stated,
  files,
  checks,
  notChecked,
}: CardContent): string {
  const { manifest } = checkpoint;
  const { channels, blocks } = weights.config;
  const parameters = weights.layout.parameterCount.toLocaleString('en');
  const source = generatorFile(checkpoint);
  return `# ${manifest.run}, iteration ${manifest.iteration}

The generator of an SRGAN (Ledig et al. 2017, arXiv 1609.04802) for 4x super-resolution, as ${format.title}: ${blocks} residual
blocks of ${channels} channels, ${parameters} parameters. Trained and exported by fourfold.

## Use

${format.usage}

## Metrics

${describeMetrics(checkpoint, evaluation)}

## Checks

The written files were run as part of the export. Largest difference of a pixel from fourfold's own generator, in grey
levels of 0 to 255:

${checks.map(({ runtime, largestDifference }) => `- ${runtime}: ${largestDifference}`).join('\n')}
${notChecked.map((reason) => `- ${reason}\n`).join('')}
Around a picture, the written files see zeros, as in training. \`fourfold upscale\` shows the generator 8 pixels of the picture's reflection
instead, which keeps the colours at the edges. To do the same, reflect the picture at its edges (NumPy's \`symmetric\`), and cut the
result's outer 32 pixels off.

## Data

${describeData(checkpoint, stated)}

## Licence

${stated.licence ?? 'Not stated. State it with `fourfold export --licence TEXT`; the licences of the photographs may apply to the weights.'}

## Config

${codeBlock('yaml', stringify(shapingConfig(checkpoint)).trimEnd())}

## Hashes

SHA-256:

${files.map(({ name, sha256, sizeBytes }) => `- \`${name}\`, ${sizeBytes} bytes: \`${sha256}\``).join('\n')}
- the checkpoint's \`${source}\`: \`${manifest.files[source].sha256}\`
`;
}

/** The hash of the dataset's manifest, if the checkpoint has it. */
const manifestHash = ({ datasetSha256, blend }: Checkpoint['manifest']): string[] =>
  datasetSha256 && !blend ? [datasetSha256] : [];

/** The config that shaped the weights; of a blend, only the generator's shape is that of all its parts. */
function shapingConfig({ manifest: { config, blend } }: Checkpoint) {
  const all = trainingConfig.parse(config);
  return blend ? { generator: all.generator } : all;
}

function describeData(checkpoint: Checkpoint, stated: Stated): string {
  const { config, blend } = checkpoint.manifest;
  if (!blend) {
    return `${describeDataset(checkpoint, stated)} LR by\nMATLAB-compatible bicubic.${describeOrigins(config)}`;
  }
  const parts = blend.map(
    ({ share, run, iteration, generatorSha256 }) =>
      `- ${Number(share.toFixed(6))} of ${run}, iteration ${iteration}: \`${generatorSha256}\``,
  );
  const dataset = stated.dataset === undefined ? '' : ` Dataset \`${stated.dataset}\`.`;
  return `A blend: each weight is interpolated between generators, whose photographs count.${dataset}\n\n${parts.join('\n')}`;
}

function describeDataset({ manifest }: Checkpoint, stated: Stated): string {
  const dataset = datasetOf(manifest, stated);
  const hash = manifestHash(manifest).map((sha256) => `, its manifest's SHA-256 \`${sha256}\``);
  return dataset === undefined
    ? 'The photographs are not stated. State them with `fourfold export --dataset TEXT`.'
    : `Dataset \`${dataset}\`${hash.join('')}.`;
}

/** Other sources of the weights: sentences, each with a space before it. */
function describeOrigins(config: unknown): string {
  const { startFrom, vgg, loss, phases } = sources.parse(config);
  const parent =
    startFrom && ` Training began with the generator of \`${lastName(startFrom)}\`, whose data also count here.`;
  const usesVgg = loss?.content !== 'mse' && phases?.some(({ kind }) => kind !== 'mse') && vgg;
  const networks: Record<string, string | undefined> = {
    features: loss?.features?.network.toUpperCase(),
    lpips: 'VGG16',
  };
  const network = networks[loss?.content ?? ''] ?? 'VGG19';
  return `${parent ?? ''}${usesVgg ? ` Content loss by the ${network} of \`${lastName(vgg)}\`.` : ''}`;
}

function describeMetrics({ manifest }: Checkpoint, evaluation: Evaluation | undefined): string {
  const found = evaluation ?? manifest.history.evaluations.at(-1);
  if (!found) return 'The run was not evaluated.';
  const { validation } = sources.parse(manifest.config);
  const set = validation ? ` \`${lastName(validation.images)}\`` : '';
  const pictures = found.pictures.length > 0 ? `, ${formatCount(found.pictures.length, 'picture')}` : '';
  const at = found.iteration === manifest.iteration ? '' : `, at iteration ${found.iteration}`;
  const { bicubic } = found;
  const beside = bicubic ? ` (bicubic: ${bicubic.psnr.toFixed(2)} dB, ${bicubic.ssim.toFixed(4)})` : '';
  return `PSNR ${found.psnr.toFixed(2)} dB, SSIM ${found.ssim.toFixed(4)}${beside} on Y, without a 4-pixel border, on the run's validation${set}${pictures}${at}.`;
}

const codeBlock = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``;
