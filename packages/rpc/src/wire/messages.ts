import { z } from '@fourfold/common/zod';
import { describeError, failureCodes, parseAddress } from '@fourfold/common';
import { secretBytes } from '../stream/frame.js';
import { wireNetworks } from './networks.js';

/*
 * The valid ranges of messages from other processes; protobuf has checked the types. Each message is checked once, on arrival.
 */

/** The most pictures of an evaluation, since its scores are one message. */
export const maxScores = 4096;
const maxLosses = 32;
const maxReasonLength = 8192;

/** A short text without control characters. */
const text = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .regex(/^\P{Cc}*$/u, 'must have no control characters');
const reason = z.string().max(maxReasonLength);
const naturalNumber = z.int().min(0);
/** Any number: diverging training has losses that are not finite, and is refused for its gradient, by name. */
const measurement = z.custom<number>((value) => typeof value === 'number', 'must be a number');
const network = z.enum(wireNetworks);
const encoding = z.enum(['F32', 'BF16']);
const sharedFile = z.object({ pid: naturalNumber, descriptor: naturalNumber });
const address = z.string().refine((value) => (parseAddress(value)?.port ?? 0) > 0, 'must be host:port');
const sha256 = z.string().regex(/^([0-9a-f]{64})?$/, 'must be a SHA-256');

const streamSecret = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array)
  .refine(({ byteLength }) => byteLength === 0 || byteLength === secretBytes, `must be ${secretBytes} bytes`);

/** Identifies a host. */
const machine = z.string().regex(/^[0-9a-f]{32}$/, 'must be a hash of 32 hexadecimal digits');

const token = z.object({ term: naturalNumber, number: naturalNumber });

const kind = z.object({
  backend: text(100),
  version: text(100),
  device: text(200),
  instructionSet: text(200),
  threads: naturalNumber,
  precision: text(100),
  decoder: text(200),
  featureWeights: text(200),
});

const register = z.object({
  run: text(100),
  machine,
  kind,
  exchangeAddress: address,
  datasetSha256: sha256,
  config: text(16_384),
  hostCheck: sharedFile.nullish(),
  hostSecret: token.nullish(),
  formats: z
    .object({
      gradients: encoding,
      sums: encoding,
      parameters: z.enum([...encoding.options, 'INT8']),
      denseGradient: z.enum(['MATRIX', 'FACTORS']),
    })
    .nullish(),
  streamSecret: streamSecret.nullish(),
});

const gradientReady = z.object({
  token,
  losses: z
    .record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,63}$/), measurement)
    .refine((losses) => Object.keys(losses).length <= maxLosses, `must be at most ${maxLosses}`),
  file: sharedFile.nullish(),
});

const pictureName = text(1024).min(1);
const score = z.object({
  picture: pictureName,
  psnr: z.number(),
  ssim: z.number(),
  bicubicPsnr: z.number(),
  bicubicSsim: z.number(),
  lpips: z.number().optional(),
  bicubicLpips: z.number().optional(),
});

const scores = z.array(score).max(maxScores);
const leaseProgress = z.object({ token, scores, picturesSha256: sha256.optional() });

/** No scores if all were reported before. */
const evaluationDone = z.object({ token, scores });

const failureCode = z.enum(failureCodes);

const leaseFailed = z.object({ token, reason, code: failureCode });
const leaving = z.object({ token: token.nullish(), reason, code: failureCode, run: text(100), machine });

const heartbeat = z.object({});

const welcome = z.object({
  term: naturalNumber,
  worker: naturalNumber,
  parameters: z.array(z.object({ network, file: sharedFile.nullable() })).max(2),
  streamSecret: streamSecret.nullish(),
});

const hop = z.object({
  worker: naturalNumber,
  address,
  secret: z.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.byteLength === secretBytes,
    `must be ${secretBytes} bytes`,
  ),
});

const newParameters = z.object({ network, version: naturalNumber, from: hop.nullish() });

const replicaWork = z.object({
  iteration: naturalNumber,
  replica: naturalNumber,
  network,
  phase: naturalNumber,
  generatorVersion: naturalNumber,
  discriminatorVersion: naturalNumber,
});

const evaluationWork = z.object({
  iteration: naturalNumber,
  generatorVersion: naturalNumber,
  measured: z.array(pictureName).max(maxScores),
  picturesSha256: sha256.optional(),
  picturesMachine: text(100).optional(),
});

const lease = z
  .object({
    token,
    leaseMs: naturalNumber,
    replica: replicaWork.nullish(),
    evaluation: evaluationWork.nullish(),
  })
  .refine(({ replica, evaluation }) => replica || evaluation, 'must contain work');

/** A message by the one field of a oneof that is set. */
const oneOf = <Bodies extends z.ZodRawShape>(bodies: Bodies) =>
  z
    .object(bodies)
    .partial()
    .refine((message) => Object.keys(message).some((name) => name in bodies), 'has no body');

export const registerSchema = register;
export const leavingSchema = leaving;
export const workerMessageSchema = oneOf({
  register,
  heartbeat,
  gradientReady,
  leaseProgress,
  evaluationDone,
  leaseFailed,
  leaving,
  hopSilent: z.object({ worker: naturalNumber }),
});
export const coordinatorMessageSchema = oneOf({
  welcome,
  heartbeat,
  lease,
  leaseEnded: z.object({ token }),
  runEnded: z.object({ reason }),
  dismissed: z.object({ reason, code: failureCode }),
  newParameters,
});
export const parametersRequestSchema = z.object({
  term: naturalNumber,
  network,
  version: naturalNumber,
  forEvaluation: z.boolean(),
  deltas: z.boolean(),
});
export const gradientRequestSchema = z.object({ token, begin: naturalNumber });

/** An error's description, cut to the length that a message may have. */
export const reasonOf = (error: unknown): string => describeError(error).slice(0, maxReasonLength);

/** Describe to its sender what is wrong with a message; undefined if it is valid. */
export function messageProblem(schema: z.ZodType, message: unknown): string | undefined {
  const found = schema.safeParse(message).error?.issues[0];
  if (!found) return undefined;
  const path = found.path.map(String).join('.').slice(0, 100);
  return `malformed message: ${[path, found.message].filter(Boolean).join(': ')}`;
}
