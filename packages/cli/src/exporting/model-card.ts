import { averageFile, type Checkpoint, type GeneratorWeights } from '@fourfold/coordinator';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Format } from './format.js';

export interface WrittenFile {
  name: string;
  sizeBytes: number;
  sha256: string;
}

interface CardContent {
  checkpoint: Checkpoint;
  weights: GeneratorWeights;
  format: Format;
  licence: string | undefined;
  files: WrittenFile[];
  checks: { runtime: string; largestDifference: number }[];
  notChecked: string[];
}

/** Of a run's config, what made the weights. Addresses and places of machines are nobody's business; old configs lack keys. */
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
const namedDataset = z.object({ dataset: z.string() });

/** The run's dataset by its last name, without where it lies. */
function datasetOf(config: unknown): string {
  const parsed = namedDataset.safeParse(config);
  return parsed.success ? (parsed.data.dataset.split('/').findLast((part) => part !== '') ?? '') : 'unknown';
}

const generatorFile = ({ manifest }: Checkpoint) =>
  manifest.files[averageFile] ? averageFile : 'generator.safetensors';

const licenceOf = (licence: string | undefined) => licence ?? 'not stated';

/** Texts about a model, for formats that have a place for them. */
export function factsOf(checkpoint: Checkpoint, licence: string | undefined): Record<string, string> {
  const { manifest } = checkpoint;
  return {
    run: manifest.run,
    iteration: String(manifest.iteration),
    licence: licenceOf(licence),
    dataset: `${datasetOf(manifest.config)}, manifest SHA-256 ${manifest.datasetSha256}`,
    generator_sha256: manifest.files[generatorFile(checkpoint)].sha256,
  };
}

/** The model card: config, data, metrics, licence, hashes, and how to load the files. Markdown. */
export function describeModel({
  checkpoint,
  weights,
  format,
  licence,
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

${describeMetrics(checkpoint)}

## Checks

The written files were run before the export was called done. Largest difference of a pixel from \`fourfold upscale\`, in grey
levels of 0 to 255:

${checks.map(({ runtime, largestDifference }) => `- ${runtime}: ${largestDifference}`).join('\n')}
${notChecked.map((reason) => `- ${reason}\n`).join('')}
## Data

Dataset \`${datasetOf(manifest.config)}\`, its manifest's SHA-256 \`${manifest.datasetSha256 || 'unknown'}\`. LR by
MATLAB-compatible bicubic.

## Licence

${licence ?? 'Not stated. Say it with `fourfold export --licence TEXT`; the licences of the photographs may bind the weights.'}

## Config

${codeBlock('yaml', stringify(trainingConfig.parse(manifest.config)).trimEnd())}

## Hashes

SHA-256:

${files.map(({ name, sha256, sizeBytes }) => `- \`${name}\`, ${sizeBytes} bytes: \`${sha256}\``).join('\n')}
- the checkpoint's \`${source}\`: \`${manifest.files[source].sha256}\`
`;
}

function describeMetrics({ manifest }: Checkpoint): string {
  const last = manifest.history.evaluations.at(-1);
  if (!last) return 'The run was not evaluated.';
  const pictures = last.pictures.length > 0 ? ` over ${last.pictures.length} pictures` : '';
  const at = last.iteration === manifest.iteration ? '' : `, at iteration ${last.iteration}`;
  return `PSNR ${last.psnr.toFixed(2)} dB, SSIM ${last.ssim.toFixed(4)} on Y, without a 4-pixel border, on the run's validation${pictures}${at}.`;
}

const codeBlock = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``;
