import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FourfoldError, parseRunConfig } from '@fourfold/common';
import { openStore } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRunRecord, writeRunRecord } from './run-record.js';

const phases = [{ kind: 'mse', iterations: 2, learningRate: 1e-3 }];
const config = parseRunConfig({ name: 'small', seed: 7, dataset: 's3://photos/small', phases }, 'a test');
const allowed = () => Promise.resolve();

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-run-record-'));
  run = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

test('a run’s record says what it is; a later term keeps the day of the first', async () => {
  expect(await readRunRecord(run)).toBeUndefined();
  await writeRunRecord(run, { config, term: 1, datasetSha256: 'abc' }, allowed);
  const first = await readRunRecord(run);
  expect(first).toMatchObject({
    name: 'small',
    term: 1,
    seed: 7,
    dataset: 's3://photos/small',
    datasetSha256: 'abc',
    config: { data: { globalBatch: 16 } },
  });
  expect(first?.termBegunAt).toBe(first?.createdAt);
  await writeRunRecord(run, { config, term: 2, datasetSha256: 'abc' }, allowed);
  expect(await readRunRecord(run)).toMatchObject({ term: 2, createdAt: first?.createdAt });
});

test('a superseded coordinator leaves the record as it is', async () => {
  await writeRunRecord(run, { config, term: 2, datasetSha256: 'abc' }, allowed);
  const refuse = () => Promise.reject(new FourfoldError('conflict', 'a newer coordinator has taken over'));
  await expect(writeRunRecord(run, { config, term: 1, datasetSha256: 'abc' }, refuse)).rejects.toThrow('newer');
  expect(await readRunRecord(run)).toMatchObject({ term: 2 });
});

test('a damaged record is written anew', async () => {
  await run.put('run.json', '{"format": 1, ');
  expect(await readRunRecord(run)).toBeUndefined();
  await writeRunRecord(run, { config, term: 1, datasetSha256: 'abc' }, allowed);
  expect(await readRunRecord(run)).toMatchObject({ term: 1 });
});
