import { join } from 'node:path';
import { parseRunConfig } from '@fourfold/common';
import { openStore, type ObjectStore } from '@fourfold/store';
import { expect, test } from 'vitest';
import { inFolder, writeSmallCheckpoint } from '../test-support.js';
import { describeNext, describeStop, resumeCommand } from './stopped.js';

test('the command that resumes says where the run is and what the file needs, and nothing else that the run knows', () => {
  const settings = ['seed=3', 'store=s3://models', 'workers.count=2'];
  expect(resumeCommand('my run.yaml', settings, [])).toBe(
    "fourfold train 'my run.yaml' --resume --set store=s3://models",
  );
  expect(resumeCommand('a.yaml', ['recipe=srgan-vgg54', 'dataset=/ds', 'vgg=/vgg19', 'logEvery=7'], [])).toBe(
    'fourfold train a.yaml --resume --set recipe=srgan-vgg54 --set dataset=/ds --set vgg=/vgg19',
  );
  expect(resumeCommand('a.yaml', [], ['--http', '127.0.0.1:8080'])).toBe(
    'fourfold train a.yaml --resume --http 127.0.0.1:8080',
  );
});

test('a finished run says how it is measured and used', () => {
  expect(describeNext('file:/my runs/a')).toBe(
    "next: fourfold evaluate --images DIR --checkpoint 'file:/my runs/a'\n" +
      "next: fourfold upscale small.jpg large.png --checkpoint 'file:/my runs/a'",
  );
});

test.each([
  { list: () => new Promise<never>(() => undefined), reason: 's3://models/runs/small does not answer' },
  { list: () => Promise.reject(new Error('no such bucket')), reason: 'no such bucket' },
])('a stop ends also if the store does not: $reason', async ({ list, reason }) => {
  const run = { url: 's3://models/runs/small', list } as unknown as ObjectStore;
  const phases = [{ kind: 'mse', iterations: 4, learningRate: 1e-3 }];
  const config = parseRunConfig({ name: 'small', dataset: 'ds', phases }, 'a test');
  expect(await describeStop(run, config, 'again', 20)).toBe(
    `what is saved is not known: ${reason}\nresume with: again`,
  );
});

test('a stop says which iteration is saved', async () => {
  await inFolder(async (folder) => {
    const run = openStore(join(folder, 'runs/small'));
    const phases = [{ kind: 'mse', iterations: 4, learningRate: 1e-3 }];
    const config = parseRunConfig({ name: 'small', dataset: 'ds', phases }, 'a test');
    expect(await describeStop(run, config, 'again')).toMatch(/^it stopped before its first checkpoint/);
    const name = await writeSmallCheckpoint(run, 3, { channels: 2, blocks: 1 });
    expect(await describeStop(run, config, 'again')).toBe(
      `iteration 3 of 4 is saved in ${run.url}/checkpoints/${name}\nresume with: again`,
    );
  });
});
