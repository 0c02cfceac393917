import { parseRunConfig, type RunConfig } from '@fourfold/common';
import { createViewVector, type WireVector } from '@fourfold/rpc';
import { openStore, viewFile } from '@fourfold/store';
import { blockBytes, blockElements, networkWires, type DeltaLayout } from '@fourfold/weights';
import { afterEach, expect, test } from 'vitest';
import { createMaster, type Master } from './updates/master.js';

/*
 * Parameters that cross as deltas: what workers hold, and what checkpoints say about it.
 */

const configWith = (parameters: RunConfig['exchange']['parameters']) =>
  parseRunConfig(
    {
      name: 'deltas',
      dataset: 'photos',
      generator: { channels: 4, blocks: 1 },
      phases: [{ kind: 'mse', iterations: 9, learningRate: 1e-2 }],
      exchange: { parameters },
    },
    'a test',
  );
const config = configWith('int8');
const layout = networkWires(config).generator.deltas as DeltaLayout;

const masters: Master[] = [];
const masterOf = (from = config): Master => {
  const master = createMaster(from);
  masters.push(master);
  return master;
};
afterEach(async () => {
  await Promise.all(masters.splice(0).map((master) => master.close()));
});

/** Gradients of all sizes; those of the third block are zero. */
async function update(master: Master): Promise<void> {
  master.state('generator').sum.forEach((_, i, sum) => {
    sum[i] = Math.floor(i / blockElements) === 2 ? 0 : Math.sin(i) ** 9;
  });
  await master.update('generator', 1e-2);
}

/** What workers hold at first. */
function holderOf(master: Master): WireVector {
  const holder = createViewVector(layout);
  holder.vector.set(master.serve('generator', 0)?.vector ?? []);
  return holder;
}

function receive(master: Master, holder: WireVector): void {
  holder.deltas?.bytes.set(master.serveDeltas('generator', master.versions().generator)?.bytes ?? []);
  holder.deltas?.apply();
}

/** The bits of a view after the master has become `vector`, by float32 operations one at a time. */
function nextView(vector: Float32Array, view: Float32Array): Float32Array {
  const next = vector.slice();
  for (let begin = 0; begin < layout.parameterCount; begin += blockElements) {
    const end = Math.min(begin + blockElements, layout.parameterCount);
    const differences = vector.slice(begin, end).map((value, i) => value - view[begin + i]);
    const scale = Math.fround(differences.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
    differences.forEach((difference, i) => {
      const multiple = scale === 0 ? 0 : nearest(Math.fround(difference / scale));
      next[begin + i] = view[begin + i] + Math.fround(multiple * scale);
    });
  }
  return next;
}

/** The nearest whole number, the even one of two. */
function nearest(value: number): number {
  const floor = Math.floor(value);
  const isUp = value - floor > 0.5 || (value - floor === 0.5 && floor % 2 !== 0);
  return isUp ? floor + 1 : floor;
}

test('workers that add deltas hold the view, to the last bit; what an update leaves out follows with the next', async () => {
  const master = masterOf();
  const holder = holderOf(master);
  expect(master.serveDeltas('generator', 0)).toBeUndefined();
  for (let i = 0; i < 4; i++) {
    const before = holder.vector.slice();
    await update(master);
    receive(master, holder);
    const { vector, view } = master.state('generator');
    expect(holder.vector).toEqual(nextView(vector, before));
    expect(holder.vector).toEqual(view?.vector);
    expect(holder.vector).not.toEqual(vector);
    // An update moves an element by 1e-2 at most; the rest of its difference is half a scale.
    const rest = vector.reduce((most, value, at) => Math.max(most, Math.abs(value - holder.vector[at])), 0);
    expect(rest).toBeLessThan(1.01e-2 / 254 + 1e-7);
    expect(holder.vector.subarray(layout.parameterCount)).toEqual(vector.subarray(layout.parameterCount));
    expect(master.serve('generator', i + 1)?.vector).toEqual(holder.vector);
  }
});

test('of a block that does not change all bytes are zero', async () => {
  const master = masterOf();
  await update(master);
  const bytes = master.serveDeltas('generator', 1)?.bytes ?? new Uint8Array();
  expect(bytes).toHaveLength(layout.byteLength);
  const isZero = (block: number) =>
    bytes.subarray(block * blockBytes, (block + 1) * blockBytes).every((byte) => byte === 0);
  expect([1, 2, 3].map(isZero)).toEqual([false, true, false]);
});

test('an update that fails leaves what workers hold and their deltas as they are', async () => {
  const master = masterOf();
  await update(master);
  const holder = holderOf(masterOf());
  master.state('generator').sum.fill(NaN);
  await expect(master.update('generator', 1e-2)).rejects.toThrow('NaN');
  receive(master, holder);
  expect(holder.vector).toEqual(master.state('generator').view?.vector);
  expect(master.serve('generator', 1)?.vector).toEqual(holder.vector);
});

/** A checkpoint with a master's files. */
const checkpointOf = async (master: Master) => ({
  url: openStore('a-checkpoint').url,
  manifest: { files: {}, versions: master.versions() } as Parameters<Master['restore']>[0]['manifest'],
  files: await master.snapshot(),
});

test('a run continues from the view of its checkpoint, to the last bit', async () => {
  const master = masterOf();
  await update(master);
  const checkpoint = await checkpointOf(master);
  await update(master);
  const restored = masterOf();
  restored.restore(checkpoint);
  // Nobody holds what its first update would add to.
  expect(restored.serveDeltas('generator', 1)).toBeUndefined();
  await update(restored);
  expect(restored.state('generator').view).toEqual(master.state('generator').view);
});

test('without a view in the checkpoint, or from another generator, workers begin with the master’s parameters', async () => {
  const [master, plain] = [masterOf(), masterOf(configWith('f32'))];
  await update(plain);
  const checkpoint = await checkpointOf(plain);
  expect(Object.keys(checkpoint.files)).not.toContain(viewFile('generator'));
  master.restore(checkpoint);
  expect(master.serve('generator', 1)?.vector).toEqual(plain.state('generator').vector);
  master.startFrom('generator', new Float32Array(plain.state('generator').vector.length).fill(0.5));
  expect(master.state('generator').view?.vector.every((value) => value === 0.5)).toBe(true);
});

test('an evaluation measures the master’s parameters, not the view', async () => {
  const master = masterOf();
  await update(master);
  master.retainGenerator();
  expect(master.serveEvaluated(1)?.vector).toEqual(master.state('generator').vector);
});
