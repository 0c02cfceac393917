import { openStore, averageFile } from '@fourfold/store';
import { parseRunConfig } from '@fourfold/common';
import { decodeSafetensors } from '@fourfold/weights';
import { afterEach, expect, test } from 'vitest';
import { createMaster, type Master } from './updates/master.js';

const decay = 0.75;
const configWith = (generatorAverage?: number) =>
  parseRunConfig(
    {
      name: 'averaged',
      dataset: 'photos',
      generator: { channels: 2, blocks: 1 },
      phases: [{ kind: 'mse', iterations: 9, learningRate: 1e-2 }],
      ...(generatorAverage !== undefined && { generatorAverage }),
    },
    'a test',
  );

const masters: Master[] = [];
const masterOf = (config: ReturnType<typeof configWith>): Master => {
  const master = createMaster(config);
  masters.push(master);
  return master;
};
afterEach(async () => {
  await Promise.all(masters.splice(0).map((master) => master.close()));
});

async function update(master: Master): Promise<void> {
  master.state('generator').sum.forEach((_, i, sum) => (sum[i] = Math.sin(i)));
  await master.update('generator', 1e-2);
}

/** A checkpoint with a master's files. */
const checkpointOf = async (master: Master) => ({
  url: openStore('a-checkpoint').url,
  manifest: { files: {}, versions: master.versions() } as Parameters<Master['restore']>[0]['manifest'],
  files: await master.snapshot(),
});

test('after each update the average moves towards the generator, in float32', async () => {
  const master = masterOf(configWith(decay));
  const expected = master.state('generator').vector.slice();
  for (let i = 0; i < 3; i++) {
    await update(master);
    const { vector } = master.state('generator');
    // Each operation rounds separately.
    vector.forEach((value, at) => (expected[at] += Math.fround((1 - decay) * Math.fround(value - expected[at]))));
  }
  const { vector, average } = master.state('generator');
  expect(average).toEqual(expected);
  expect(average).not.toEqual(vector);
});

test('an evaluation gets the average, a lease the generator', async () => {
  const master = masterOf(configWith(decay));
  await update(master);
  const { vector, average } = master.state('generator');
  expect(master.serveEvaluated(1)).toBeUndefined();
  master.retainGenerator();
  expect(master.serveEvaluated(1)?.vector).toEqual(average);
  expect(master.serve('generator', 1)?.vector).toEqual(vector);
  const kept = average?.slice();
  await update(master);
  expect(master.serveEvaluated(1)?.vector).toEqual(kept);
});

test('a checkpoint holds it; without one it begins with the generator', async () => {
  const [master, plain] = [masterOf(configWith(decay)), masterOf(configWith())];
  await update(master);
  await update(plain);
  expect(Object.keys(await plain.snapshot())).not.toContain(averageFile);
  expect(plain.state('generator').average).toBeUndefined();

  const restored = masterOf(configWith(decay));
  restored.restore(await checkpointOf(master));
  expect(restored.state('generator').average).toEqual(master.state('generator').average);
  restored.restore(await checkpointOf(plain));
  expect(restored.state('generator').average).toEqual(plain.state('generator').vector);
  const { tensors } = decodeSafetensors((await checkpointOf(master)).files[averageFile], averageFile);
  expect(tensors.length).toBeGreaterThan(10);
});

test('a run that starts from another generator also starts its average there', () => {
  const master = masterOf(configWith(decay));
  const { vector, average } = master.state('generator');
  master.startFrom('generator', new Float32Array(vector.length).fill(0.5));
  expect(average).toEqual(vector);
  expect(vector.every((value) => value === 0.5)).toBe(true);
});
