import { z } from '@fourfold/common/zod';
import { backendChoices, bestByChoices, lpipsChoices } from './choices.js';
import { featureName, lossSchema, positive } from './loss-schema.js';

/*
 * The run's config: every key, its range and its default, in one place. Units are in the names.
 */

const count = z.int().min(1);
/** A timer can still wait twice as long. */
const durationMs = z
  .int()
  .min(10)
  .max(2 ** 30 - 1);

const generatorSchema = z.strictObject({
  channels: count.default(64),
  blocks: count.default(16),
});

const discriminatorSchema = z.strictObject({
  /** Widths are this times 1, 1, 2, 2, 4, 4, 8, 8. */
  channels: count.default(64),
  /**
   * `dense`: the paper's dense layers, one logit for a crop. `patch`: a convolution instead, one logit for each 16 x 16 pixels; the
   * network's size no longer depends on `data.crop`, and filters at stride 2 are 4 x 4, as ESRGAN's, to avoid a grid in the pictures.
   * `features`: it sees no pixels but the content loss's features, with a small network of `channels` on each layer in `features`: a few
   * hundred iterations teach it what the others need many thousands for (Sauer et al. 2021, Park et al. 2018).
   */
  head: z.enum(['dense', 'patch', 'features']).default('dense'),
  /** Width of the hidden dense layer. */
  dense: count.default(1024),
  /** The layers of the content loss that it sees, with `head: features`. */
  features: z.array(featureName).min(1).optional(),
});

export const dataSchema = z.strictObject({
  /** Crops of one iteration, over all replicas. */
  globalBatch: count.default(16),
  /** Logical slices of the global batch, each with its own batch-norm statistics. */
  replicas: count.default(1),
  /** Side of an HR crop in pixels; a multiple of 16 (the discriminator halves it four times). */
  crop: z.int().min(16).multipleOf(16).default(96),
  /** Crops taken from each picture in an epoch. */
  cropsPerPicture: count.default(1),
  /** Pictures in a shuffling window; bounds the loader's memory. */
  windowPictures: count.default(1024),
  flips: z.boolean().default(false),
  quarterTurns: z.boolean().default(false),
  /** Standard deviation, in HR pixels, of a Gaussian blur before down-sampling; 0 for none. */
  blurSigma: z.number().min(0).max(3).default(0),
  /** Where shards from an object store are cached; `fourfold/shards` in the user's cache folder unless set. */
  cacheFolder: z.string().min(1).optional(),
  /** Size limit of that cache in bytes; shards in use are kept even beyond it. */
  cacheBytes: count.default(10 * 2 ** 30),
});

const phaseSchema = z.strictObject({
  /** `mse`: mean squared error alone. `content`: the content loss alone. `gan`: content and adversarial loss. */
  kind: z.enum(['mse', 'content', 'gan']),
  iterations: count,
  learningRate: positive,
  /** The discriminator's own, `learningRate` unless set: a faster one keeps it ahead of the generator (Heusel et al. 2017). */
  discriminatorLearningRate: positive.optional(),
  /** `cosine` falls from the learning rates to 0 over the phase. */
  decay: z.enum(['constant', 'cosine']).default('constant'),
});

const adamSchema = z.strictObject({
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: positive.default(1e-8),
});

const validationSchema = z.strictObject({
  /** Pictures that are not trained on: a folder, zip, tar or `s3:` URL, read as by `fourfold evaluate`. */
  images: z.string().min(1),
  /** Iterations between evaluations; the end of each phase is also evaluated. */
  every: count.default(5000),
  /** The status page shows this many of them, from the first; 0 for none. */
  pictures: z.int().min(0).max(64).default(4),
  /** Also measure LPIPS 0.1 of the pictures, by AlexNet or VGG16; not unless set. */
  lpips: z.enum(lpipsChoices).optional(),
  /** The weights of LPIPS: a file, a folder or an `s3:` URL that `fourfold vgg fetch` has filled; fourfold's cache folder unless set. */
  lpipsWeights: z.string().min(1).optional(),
});

const checkpointsSchema = z.strictObject({
  /** Iterations between checkpoints; each evaluated iteration, the end of each phase and a SIGTERM also write one. */
  every: count.default(5000),
  /** How many of the newest checkpoints are kept, in addition to the best. */
  keep: count.default(3),
  /** Which score makes a checkpoint the best one: the highest PSNR (unless set) or SSIM, or the lowest LPIPS (`validation.lpips`). */
  bestBy: z.enum(bestByChoices).optional(),
  /** Checkpoints at multiples of this many iterations are kept permanently; none unless set. */
  keepEvery: count.optional(),
});

const workersSchema = z.strictObject({
  /** Local worker processes that `fourfold train` starts. */
  count: count.default(1),
  backend: z.enum(backendChoices).default('auto'),
  /**
   * `auto` uses a GPU if there is one. `cuda` and `cuda:N` are torch's; `gpu`, `gpu:NAME` (the adapter whose name contains NAME) and `cpu` (a software
   * driver) are webgpu's.
   */
  device: z
    .string()
    .regex(/^(auto|cpu|cuda(:\d+)?|gpu(:.+)?)$/, 'auto, cpu, cuda, cuda:N, gpu or gpu:NAME')
    .default('auto'),
  /**
   * `bf16`: convolutions and matrix products round to bfloat16, and activations are stored in it. `tf32`: on CUDA they may round to
   * TF32, and the rest is float32 (torch only).
   */
  precision: z.enum(['f32', 'tf32', 'bf16']).default('f32'),
  /** On CUDA, capture the halves of an iteration as graphs and replay them. */
  graphs: z.boolean().default(true),
  /** Compute threads per worker; 0 divides the machine's cores among the local workers. */
  threads: z.int().min(0).default(0),
  /** How many workers a coordinator waits for before its first lease. */
  minimumToStart: count.default(1),
  /** With fewer workers than this, no leases are granted until more join. */
  minimumToContinue: count.default(1),
  /** Allow workers of other kinds to join. The weights then depend on which worker computed what. */
  allowMixedKinds: z.boolean().default(false),
  /** Generator passes that a worker keeps between the two halves of an iteration; the rest are recomputed. */
  keptPasses: count.default(4),
});

export const exchangeSchema = z.strictObject({
  /**
   * How parameters and gradients are transferred. `auto`: shared memory with workers on the coordinator's host; else the bulk stream; else,
   * where only that passes, gRPC.
   */
  transport: z.enum(['auto', 'grpc', 'stream', 'shared-memory']).default('auto'),
  /** The folder for shared memory, on tmpfs. */
  folder: z.string().min(1).default('/dev/shm'),
  /**
   * How the sum of the gradients is made. `star`: the coordinator pulls each replica's gradient and adds it. `chain`: each worker adds
   * its own to what the one before it has and passes the sum on, so that the coordinator's link carries one vector however many workers
   * there are; the same bits. Parameters pass from worker to worker, too. It needs the bulk stream; what cannot pass along it is pulled.
   * `auto`: a chain while at least two workers are on the bulk stream, one or more of them on another host than the coordinator; else a star.
   */
  route: z.enum(['auto', 'star', 'chain']).default('auto'),
  /** How gradients are transferred. `bf16`: rounded to bfloat16 by the worker; batch statistics stay float32. */
  gradients: z.enum(['f32', 'bf16']).default('f32'),
  /**
   * How sums of gradients are kept. `bf16`: rounded to bfloat16 after each replica's addition, wherever that happens; sums of batch statistics
   * stay float32. It saves bytes along a chain; in a star gradients cross, and not sums.
   */
  sums: z.enum(['f32', 'bf16']).default('f32'),
  /**
   * How parameters are transferred; the coordinator's stay float32. `bf16`: workers compute with parameters rounded to bfloat16. `int8`:
   * an update's change of them crosses in 8 bits, with a scale for each 256; what it leaves out crosses with the next.
   */
  parameters: z.enum(['f32', 'bf16', 'int8']).default('f32'),
  /**
   * How the weight gradient of the discriminator's large dense layer is transferred. `factors`: as the factors of the product, without
   * loss and in thirty times fewer bytes at paper size; the coordinator multiplies. The sum rounds in another order than with `matrix`.
   */
  denseGradient: z.enum(['matrix', 'factors']).default('matrix'),
});

const batchesSchema = z.strictObject({
  /** `shards`: every worker reads the dataset itself. `nats`: workers request batches from data-loaders over NATS. */
  from: z.enum(['shards', 'nats']).default('shards'),
  /** How many iterations ahead a worker requests batches. */
  ahead: z.int().min(0).max(16).default(2),
  /** How long a worker waits for a data-loader's answer before it also asks another. */
  lateMs: durationMs.default(2_000),
  /** How often a data-loader announces itself. After three times this long without an announcement it counts as gone. */
  announceMs: durationMs.default(1_000),
});

const timingSchema = z.strictObject({
  /** How long a worker may take for one lease before another worker gets the replica. */
  leaseMs: durationMs.default(600_000),
  /** A multiple of the usual time, after which an idle worker also computes a slow worker's replica; 0 for never. */
  stragglerFactor: z.number().min(0).default(3),
  /** How often the coordinator and workers send each other heartbeats. */
  heartbeatMs: durationMs.default(1_000),
  /** Silence after which a peer counts as lost. */
  silenceMs: durationMs.default(10_000),
  /** How long a worker looks for a coordinator before it gives up. */
  patienceMs: durationMs.default(600_000),
  /** How often the coordinator checks for a newer term. */
  termCheckMs: durationMs.default(1_000),
});

export const runSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'at most 63 lower-case letters, digits and dashes'),
  seed: z.int().min(0).default(0),
  /** Object store for the run's checkpoints and records: a folder or an `s3:` URL. */
  store: z.string().min(1).default('out/store'),
  /** The output of `fourfold prepare`: a folder or an `s3:` URL. */
  dataset: z.string().min(1),
  /** Weights of VGG19 or VGG16 (safetensors); needed by the content losses `vgg22`, `vgg54` (VGG19), `features` and `lpips` (VGG16). */
  vgg: z.string().min(1).optional(),
  generator: generatorSchema.prefault({}),
  discriminator: discriminatorSchema.prefault({}),
  data: dataSchema.prefault({}),
  loss: lossSchema.prefault({}),
  phases: z.array(phaseSchema).min(1),
  /** Multiplies the iterations of every phase, which stay at least one; for trying out a schedule. */
  scheduleScale: z.number().positive().max(1).default(1),
  /**
   * The generator to start from: a finished run in the same store, the URL of a run or a checkpoint, or a safetensors file as
   * `fourfold export` writes it for PyTorch. The `mse` phases at the start of
   * the schedule are then skipped, unless it has no others.
   */
  startFrom: z.string().min(1).optional(),
  /** The discriminator to start from: a finished run in the same store, the URL of a run or a checkpoint, or a checkpoint's `discriminator.safetensors`. */
  discriminatorFrom: z.string().min(1).optional(),
  adam: adamSchema.prefault({}),
  /**
   * The largest Euclidean norm of an update's gradient, over all parameters of the network; a longer one is scaled down to it, as by
   * PyTorch's `clip_grad_norm_`. None unless set.
   */
  clipGradientNorm: positive.optional(),
  /** The generator's batch norms use their running averages, which stay as they are: for fine-tuning, with `startFrom`. */
  frozenBatchNorm: z.boolean().default(false),
  /**
   * Decay, such as 0.999, of an exponential moving average of the generator over its updates. Evaluations measure the average, and
   * evaluate, upscale and export use it. None unless set.
   */
  generatorAverage: z.number().gt(0).lt(1).optional(),
  validation: validationSchema.optional(),
  checkpoints: checkpointsSchema.prefault({}),
  /** Iterations between rows of the metric history. */
  logEvery: count.default(100),
  workers: workersSchema.prefault({}),
  batches: batchesSchema.prefault({}),
  exchange: exchangeSchema.prefault({}),
  timing: timingSchema.prefault({}),
});

export type GeneratorConfig = z.infer<typeof generatorSchema>;
export type DiscriminatorConfig = z.infer<typeof discriminatorSchema>;
export type DataConfig = z.infer<typeof dataSchema>;
export type LossConfig = z.infer<typeof lossSchema>;
export type FeaturesConfig = NonNullable<LossConfig['features']>;
export type PhaseConfig = z.infer<typeof phaseSchema>;
export type AdamConfig = z.infer<typeof adamSchema>;
export type ExchangeConfig = z.infer<typeof exchangeSchema>;
export type TimingConfig = z.infer<typeof timingSchema>;
export type RunConfig = z.infer<typeof runSchema>;
export type WorkersConfig = RunConfig['workers'];
export type BackendName = Exclude<RunConfig['workers']['backend'], 'auto'>;
