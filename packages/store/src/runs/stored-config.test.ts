import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRunConfig } from '@fourfold/common';
import { expect, test } from 'vitest';
import { openStore } from '../objects/object-store.js';
import { writeRunRecord } from './run-record.js';
import { readStoredConfig } from './stored-config.js';

const phases = [{ kind: 'mse', iterations: 2, learningRate: 1e-3 }];
const config = parseRunConfig({ name: 'small', dataset: 's3://photos/small', phases }, 'a test');

test('an older record serves if no manifest can be read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-stored-config-'));
  try {
    const run = openStore(folder);
    expect(await readStoredConfig(run)).toBeUndefined();
    await run.put('checkpoints/00000002-0002/manifest.json', Buffer.from('{'));
    expect(await readStoredConfig(run)).toBeUndefined();
    await writeRunRecord(run, { config, term: 1, datasetSha256: '' }, () => Promise.resolve());
    expect(await readStoredConfig(run)).toEqual(config);
  } finally {
    await rm(folder, { recursive: true });
  }
});
