import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadRunConfig, parseRunConfig } from '@fourfold/common';
import { openStore, writeRunRecord } from '@fourfold/store';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { inFolder, writeSmallCheckpoint } from '../test-support.js';
import { configToResume } from './resume-config.js';

const phase = { kind: 'mse', iterations: 40, learningRate: 1e-3 };
const file = { name: 'small', dataset: '/ds', generator: { channels: 4, blocks: 1 }, phases: [phase] };

test('--resume continues with the run’s own config, lists what differs, and changes what it is told to', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'run.yaml');
    await writeFile(path, stringify({ ...file, store: join(folder, 'store') }));
    const run = openStore(join(folder, 'store')).at('runs/small');
    const resume = async (...settings: string[]) => {
      const said: string[] = [];
      const given = { path: 'run.yaml', config: await loadRunConfig(path, settings), settings };
      const config = await configToResume(given, (line) => said.push(line));
      return { config, said };
    };
    const asGiven = await loadRunConfig(path);
    const fresh = await resume();
    expect(fresh.config).toEqual(asGiven);
    expect(fresh.said).toEqual([`run small has no readable checkpoint at ${run.url}: it starts from the beginning`]);

    // Its record is lost: the checkpoint has 4 iterations.
    await writeSmallCheckpoint(run, 1, file.generator);
    expect((await resume()).config).toMatchObject({ phases: [{ iterations: 4 }] });

    const started = parseRunConfig({ ...file, phases: [{ ...phase, iterations: 20 }], logEvery: 7 }, 'a test');
    await writeRunRecord(run, { config: started, term: 1, datasetSha256: '' }, () => Promise.resolve());
    const resumed = await resume();
    expect(resumed.config).toEqual({ ...asGiven, phases: started.phases, logEvery: 7 });
    expect(resumed.said).toEqual([
      'the run keeps the config that it was started with, where run.yaml differs:',
      '  phases.0.iterations  20  file: 40\n  logEvery             7   file: 100',
      'to change a key, name it: --set phases.0.iterations=40',
    ]);
    const changed = await resume('scheduleScale=0.5', 'logEvery=9');
    expect(changed.config).toEqual({ ...asGiven, phases: started.phases, logEvery: 9 });
    expect(changed.said).toEqual(['changed as asked:', '  logEvery  9  before: 7']);
    const views = { images: `/photographs/${'p'.repeat(200)}`, pictures: 3 };
    const long = await resume(`validation=${JSON.stringify(views)}`);
    for (const line of long.said.slice(0, 2).flatMap((text) => text.split('\n'))) expect(line.length).toBeLessThan(100);
    expect(long.said[1]).toContain('…  before: none');
  });
});
