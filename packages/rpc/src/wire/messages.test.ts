import { expect, test } from 'vitest';
import {
  coordinatorMessageSchema,
  gradientRequestSchema,
  maxScores,
  messageProblem,
  parametersRequestSchema,
  registerSchema,
  workerMessageSchema,
} from './messages.js';

const token = { term: 1, number: 2 };
const register = {
  protocolVersion: 1,
  run: 'photos',
  kind: {
    backend: 'wasm',
    version: '4.22.0',
    device: 'cpu',
    instructionSet: 'simd',
    threads: 1,
    precision: 'f32',
    decoder: 'vips 8',
    featureWeights: 'content 0123456789ab and LPIPS 0123456789ab',
  },
  exchangeAddress: '127.0.0.1:4000',
  machine: '0123456789abcdef'.repeat(2),
  datasetSha256: 'a'.repeat(64),
  config: '{}',
  hostCheck: { pid: 1, descriptor: 20 },
  hostSecret: { term: 4_000_000_000, number: 1 },
};
const worker = (message: object) => messageProblem(workerMessageSchema, message);
const ready = (more: object) => worker({ gradientReady: { token, losses: {}, file: null, ...more } });
const score = { picture: 'a/b.png', psnr: 30, ssim: 0.9, bicubicPsnr: 24, bicubicSsim: 0.5 };

test('messages of fourfold’s own parts are well-formed', () => {
  expect(messageProblem(registerSchema, register)).toBeUndefined();
  expect(messageProblem(registerSchema, { ...register, hostCheck: null, hostSecret: null })).toBeUndefined();
  expect(worker({ body: 'heartbeat', heartbeat: {} })).toBeUndefined();
  expect(ready({ losses: { content: 0.1, adversarial: 2 }, file: { pid: 1, descriptor: 3 } })).toBeUndefined();
  expect(worker({ leaseProgress: { token, scores: [] } })).toBeUndefined();
  expect(worker({ evaluationDone: { token, scores: [score, { ...score, psnr: 100 }] } })).toBeUndefined();
  expect(worker({ leaseFailed: { token, reason: 'shard 3 is damaged\n', code: 'corrupt' } })).toBeUndefined();
  const { run, machine } = register;
  expect(worker({ leaving: { token: null, code: 'fault', reason: 'a kernel hangs', run, machine } })).toBeUndefined();
  expect(
    messageProblem(coordinatorMessageSchema, { dismissed: { code: 'bad-result', reason: 'NaN' } }),
  ).toBeUndefined();
  const from = { worker: 3, address: '10.0.0.1:7001', secret: new Uint8Array(16) };
  const newParameters = { network: 'GENERATOR', version: 7 };
  expect(messageProblem(coordinatorMessageSchema, { newParameters: { ...newParameters, from } })).toBeUndefined();
  expect(messageProblem(coordinatorMessageSchema, { newParameters: { ...newParameters, from: null } })).toBeUndefined();
  expect(worker({ hopSilent: { worker: 3 } })).toBeUndefined();
  const lease = { token, leaseMs: 1000, evaluation: { iteration: 1, generatorVersion: 1, measured: ['a'] } };
  expect(messageProblem(coordinatorMessageSchema, { lease })).toBeUndefined();
  expect(messageProblem(gradientRequestSchema, { token, begin: 0 })).toBeUndefined();
});

test('losses of diverging training are well-formed: its gradient is what gets refused', () => {
  expect(ready({ losses: { content: NaN, adversarial: Infinity } })).toBeUndefined();
});

test.each<[string, () => string | undefined, RegExp]>([
  ['no kind', () => messageProblem(registerSchema, { ...register, kind: null }), /^malformed message: kind: /],
  [
    'a score that is not finite',
    () => worker({ evaluationDone: { token, scores: [{ ...score, psnr: Infinity }] } }),
    /^malformed message: evaluationDone\.scores\.0\.psnr: /,
  ],
  [
    'no scores',
    () => worker({ leaseProgress: { token, scores: [{ ...score, picture: '' }] } }),
    /^malformed message: leaseProgress\.scores\.0\.picture: /,
  ],
  [
    'a failure of an unknown kind',
    () => worker({ leaseFailed: { token, reason: '', code: 'odd' } }),
    /leaseFailed\.code: /,
  ],
  [
    'a machine’s host name',
    () => messageProblem(registerSchema, { ...register, machine: 'gpu-7' }),
    /machine: must be a/,
  ],
  ['no body', () => worker({}), /^malformed message: has no body$/],
  ['no token', () => ready({ token: null }), /gradientReady\.token: /],
  ['a token beyond exact numbers', () => ready({ token: { term: 1, number: 2 ** 60 } }), /token\.number: Too big/],
  ['a loss’s name with a space', () => ready({ losses: { 'a b': 1 } }), /losses\.a b: /],
  ['a long name of a loss', () => ready({ losses: { ['a'.repeat(65)]: 1 } }), /losses\.a/],
  [
    'too many losses',
    () => ready({ losses: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`loss${i}`, 1])) }),
    /losses: must be at most 32/,
  ],
  [
    'too many scores',
    () => worker({ evaluationDone: { token, scores: Array(maxScores + 1).fill(score) } }),
    /scores: Too big/,
  ],
  ['a long reason', () => worker({ leaseFailed: { token, reason: 'a'.repeat(9000), fatal: false } }), /reason: /],
  [
    'an address of another scheme',
    () => messageProblem(registerSchema, { ...register, exchangeAddress: 'unix:/tmp/a' }),
    /exchangeAddress: must be host:port/,
  ],
  [
    'an address without a port',
    () => messageProblem(registerSchema, { ...register, exchangeAddress: 'host:0' }),
    /exchangeAddress: must be host:port/,
  ],
  [
    'an invalid hash',
    () => messageProblem(registerSchema, { ...register, datasetSha256: 'abc' }),
    /datasetSha256: must be a SHA-256/,
  ],
  [
    'control characters',
    () => messageProblem(registerSchema, { ...register, run: 'a\nb' }),
    /run: must have no control/,
  ],
  [
    'an unknown network',
    () => messageProblem(parametersRequestSchema, { term: 1, network: 7, version: 1 }),
    /network: /,
  ],
  ['a negative element', () => messageProblem(gradientRequestSchema, { token, begin: -1 }), /begin: Too small/],
  [
    'a lease without work',
    () => messageProblem(coordinatorMessageSchema, { lease: { token, leaseMs: 1 } }),
    /lease: must contain work/,
  ],
])('%s', (_, problem, expected) => {
  expect(problem()).toMatch(expected);
});
