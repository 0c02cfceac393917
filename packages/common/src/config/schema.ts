import { z } from 'zod';

/*
 * The run's config: every key, its range and its default, in one place. Units stand in the names.
 */

const count = z.int().min(1);
const positive = z.number().positive();
/** Twice of it is still a time that a timer can wait. */
const durationMs = z
  .int()
  .min(10)
  .max(2 ** 30 - 1);

export const generatorSchema = z.strictObject({
  channels: count.default(64),
  blocks: count.default(16),
});

/** Widths are channels times 1, 1, 2, 2, 4, 4, 8, 8; `dense` is the width of the hidden dense layer. */
export const discriminatorSchema = z.strictObject({
  channels: count.default(64),
  dense: count.default(1024),
});

export const dataSchema = z.strictObject({
  /** Crops of one iteration, over all replicas. */
  globalBatch: count.default(16),
  /** Logical slices of the global batch, each with its own batch-norm statistics. */
  replicas: count.default(1),
  /** Side of an HR crop in pixels; a multiple of 16 (the discriminator halves it four times). */
  crop: z.int().min(16).multipleOf(16).default(96),
  /** How often each picture is used in an epoch. */
  cropsPerPicture: count.default(1),
  /** Pictures among which the order is shuffled; bounds the loader's memory. */
  windowPictures: count.default(1024),
  flips: z.boolean().default(false),
  quarterTurns: z.boolean().default(false),
  /** Standard deviation, in HR pixels, of a Gaussian before down-sampling; 0 for none. */
  blurSigma: z.number().min(0).max(3).default(0),
  /** Where shards that come from an object store are kept; `fourfold/shards` in the user's cache folder unless set. */
  cacheFolder: z.string().min(1).optional(),
  /** How much of them is kept, in bytes; shards in use are kept, too, where they are more. */
  cacheBytes: count.default(10 * 2 ** 30),
});

export const lossSchema = z.strictObject({
  /** The content loss of `content` and `gan` phases. */
  content: z.enum(['mse', 'vgg22', 'vgg54']).default('vgg54'),
  /** VGG distances summed over channels, as the paper's eq. 5 has it, or averaged over them too. */
  vggReduction: z.enum(['sum', 'mean']).default('sum'),
  adversarialWeight: z.number().min(0).default(1e-3),
  totalVariationWeight: z.number().min(0).default(0),
});

export const phaseSchema = z.strictObject({
  /** `mse`: mean squared error alone. `content`: the content loss alone. `gan`: content and adversarial loss. */
  kind: z.enum(['mse', 'content', 'gan']),
  iterations: count,
  learningRate: positive,
  /** `cosine` falls from `learningRate` to 0 over the phase. */
  decay: z.enum(['constant', 'cosine']).default('constant'),
});

export const adamSchema = z.strictObject({
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: positive.default(1e-8),
});

export const validationSchema = z.strictObject({
  /** Pictures that are not trained on: a folder, zip, tar or `s3:` URL, chosen as `fourfold evaluate` chooses them. */
  images: z.string().min(1),
  /** Iterations between evaluations; each phase's end is evaluated, too. */
  every: count.default(5000),
  /** How many of them, from the first, the status page shows; 0 for none. */
  pictures: z.int().min(0).max(64).default(4),
});

export const checkpointsSchema = z.strictObject({
  /** Iterations between checkpoints; each evaluated iteration, each phase's end and a SIGTERM write one, too. */
  every: count.default(5000),
  /** How many of the newest checkpoints are kept; the best one by PSNR is kept besides. */
  keep: count.default(3),
  /** Checkpoints of iterations that are a multiple of this are kept for good; none unless set. */
  keepEvery: count.optional(),
});

export const workersSchema = z.strictObject({
  /** Local worker processes that `fourfold train` starts. */
  count: count.default(1),
  backend: z.enum(['auto', 'torch', 'tensorflow', 'wasm', 'cpu']).default('auto'),
  /** What the torch backend computes on; `auto` takes a GPU where there is one. */
  device: z
    .string()
    .regex(/^(auto|cpu|cuda(:\d+)?)$/, 'auto, cpu, cuda or cuda:N')
    .default('auto'),
  /**
   * `bf16`: convolutions and matrix products round to bfloat16, and activations are kept as such; `tf32`: on CUDA they may round to
   * TF32, the rest is float32 (torch only).
   */
  precision: z.enum(['f32', 'tf32', 'bf16']).default('f32'),
  /** On CUDA, capture the halves of an iteration as graphs and replay them. */
  graphs: z.boolean().default(true),
  /** Threads a worker computes with; 0 divides the machine's cores among the local workers. */
  threads: z.int().min(0).default(0),
  /** How many workers a coordinator waits for before its first lease. */
  minimumToStart: count.default(1),
  /** With fewer workers than this no lease is given out until others have joined. */
  minimumToContinue: count.default(1),
  /** Let workers of other kinds join. The weights then depend on who computed what. */
  allowMixedKinds: z.boolean().default(false),
  /** Generator passes that a worker keeps between the two halves of an iteration; others are computed again. */
  keptPasses: count.default(4),
});

export const exchangeSchema = z.strictObject({
  /** How parameters and gradients cross. `auto`: shared memory with the workers of the coordinator's host, else gRPC. */
  transport: z.enum(['auto', 'grpc', 'shared-memory']).default('auto'),
  /** The shared memory: a folder on tmpfs. */
  folder: z.string().min(1).default('/dev/shm'),
  /** How gradients cross. `bf16`: rounded to bfloat16 by the worker; sums and batch statistics stay float32. */
  gradients: z.enum(['f32', 'bf16']).default('f32'),
  /** How parameters cross. `bf16`: workers compute with parameters rounded to bfloat16; the coordinator's stay float32. */
  parameters: z.enum(['f32', 'bf16']).default('f32'),
  /**
   * The weight gradient of the discriminator's large dense layer. `factors`: it crosses as what it is the product of, exactly, in
   * thirty times fewer bytes at paper size, and the coordinator multiplies. The sum rounds in another order than with `matrix`.
   */
  denseGradient: z.enum(['matrix', 'factors']).default('matrix'),
});

export const batchesSchema = z.strictObject({
  /** `shards`: every worker reads the dataset itself. `nats`: data-loaders do, and workers ask them over NATS. */
  from: z.enum(['shards', 'nats']).default('shards'),
  /** For how many iterations ahead of need a worker asks. */
  ahead: z.int().min(0).max(16).default(2),
  /** How long a worker waits for a data-loader's answer before it asks another one, too. */
  lateMs: durationMs.default(2_000),
  /** How often a data-loader says that it lives. One that is silent for three times as long counts as gone. */
  announceMs: durationMs.default(1_000),
});

export const timingSchema = z.strictObject({
  /** How long a worker may take for one lease before another worker gets the replica. */
  leaseMs: durationMs.default(600_000),
  /** How many times as long as usual a worker may take before an idle one computes its replica, too; 0 for never. */
  stragglerFactor: z.number().min(0).default(3),
  /** How often coordinator and workers tell each other that they live. */
  heartbeatMs: durationMs.default(1_000),
  /** Silence after which a peer counts as lost. */
  silenceMs: durationMs.default(10_000),
  /** How long a worker looks for a coordinator before it gives up. */
  patienceMs: durationMs.default(600_000),
  /** How often the coordinator looks for a newer term. */
  termCheckMs: durationMs.default(1_000),
});

export const runSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, 63 at most'),
  seed: z.int().min(0).default(0),
  /** Object store of the run's checkpoints and records: a folder or an `s3:` URL. */
  store: z.string().min(1).default('out/store'),
  /** What `fourfold prepare` wrote: a folder or an `s3:` URL. */
  dataset: z.string().min(1),
  /** VGG19 weights (safetensors); needed by the content losses `vgg22` and `vgg54`. */
  vgg: z.string().min(1).optional(),
  generator: generatorSchema.prefault({}),
  discriminator: discriminatorSchema.prefault({}),
  data: dataSchema.prefault({}),
  loss: lossSchema.prefault({}),
  phases: z.array(phaseSchema).min(1),
  /** Every phase's iterations times this, one at least; for trying a schedule out. */
  scheduleScale: z.number().positive().max(1).default(1),
  /**
   * A finished run of the same store, or the URL of a run or a checkpoint: its generator is the one to start from. The `mse` phases
   * that begin the schedule are then left out, unless it has no others.
   */
  startFrom: z.string().min(1).optional(),
  adam: adamSchema.prefault({}),
  /**
   * Decay, such as 0.999, of an exponential moving average of the generator over its updates: what evaluations measure, and what
   * evaluate, upscale and export take. None unless set.
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
export type PhaseConfig = z.infer<typeof phaseSchema>;
export type AdamConfig = z.infer<typeof adamSchema>;
export type BatchesConfig = z.infer<typeof batchesSchema>;
export type ExchangeConfig = z.infer<typeof exchangeSchema>;
export type TimingConfig = z.infer<typeof timingSchema>;
export type RunConfig = z.infer<typeof runSchema>;
export type WorkersConfig = RunConfig['workers'];
export type BackendName = Exclude<RunConfig['workers']['backend'], 'auto'>;
