import type { RpcSecurity } from '@fourfold/rpc';
import { expect, test } from 'vitest';
import { admissionProblem, type Admission } from './admission.js';

const kind = {
  ...{ backend: 'wasm', version: '4.22.0', device: 'a CPU', instructionSet: 'simd128' },
  ...{ threads: 1, precision: 'f32', decoder: 'vips 8.18.7', featureWeights: '' },
};
const config = '{"seed":0}';
const worker = { datasetSha256: 'a', config, kind, exchangeAddress: '127.0.0.1:4000' };
const run: Admission = {
  ...{ datasetSha256: 'a', config },
  kind,
  allowMixedKinds: false,
  ownAddress: '127.0.0.1:5000',
  security: { allowInsecure: false },
};

test('a worker of the run’s dataset and kind is admitted', () => {
  expect(admissionProblem(worker, run)).toBeUndefined();
  expect(admissionProblem(worker, { ...run, kind: {} })).toBeUndefined();
});

test('another dataset', () => {
  expect(admissionProblem({ ...worker, datasetSha256: 'b' }, run)).toContain('a different dataset');
});

test('another config is refused with the keys that differ', () => {
  expect(admissionProblem({ ...worker, config: '{"seed":7}' }, run)).toBe(
    'the coordinator’s config and the worker’s differ in seed (0 and 7): give both the same config, and start them again',
  );
});

test('another kind is refused with what differs, and admitted where kinds may be mixed', () => {
  const other = { ...worker, kind: { ...kind, threads: 2, decoder: 'vips 8.17.0' } };
  expect(admissionProblem(other, run)).toMatch(
    /^the run's workers have threads 1, decoder vips 8\.18\.7, this one has threads 2, decoder vips 8\.17\.0: their bits differ/,
  );
  expect(admissionProblem(other, { ...run, allowMixedKinds: true })).toBeUndefined();
});

const identity = { authority: '', certificate: '', key: '' };
const elsewhere = /^.+ is on another machine, and there is no TLS/;
test.each<[string, Partial<RpcSecurity>, RegExp | undefined]>([
  ['127.0.0.1:4000', {}, undefined],
  ['127.8.0.1:4000', {}, undefined],
  ['localhost:4000', {}, undefined],
  ['[::1]:4000', {}, undefined],
  ['10.0.0.7:4000', {}, elsewhere],
  ['169.254.169.254:80', {}, elsewhere],
  ['metadata.internal:80', {}, elsewhere],
  ['[fe80::1]:4000', {}, elsewhere],
  ['10.0.0.7:4000', { identity }, undefined],
  ['worker-3.workers:4000', { identity }, undefined],
  ['10.0.0.7:4000', { allowInsecure: true }, undefined],
  ['127.0.0.1:5000', {}, /own address/],
  ['127.0.0.1:5000', { identity }, /own address/],
])('an exchange at %s with %o', (exchangeAddress, security, reason) => {
  const found = admissionProblem(
    { ...worker, exchangeAddress },
    { ...run, security: { allowInsecure: false, ...security } },
  );
  if (reason) expect(found).toMatch(reason);
  else expect(found).toBeUndefined();
});
