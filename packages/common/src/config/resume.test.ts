import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseRunConfig } from './load.js';
import { resumedConfig } from './resume.js';
import { applySetting } from './settings.js';
import type { Tree } from './tree.js';

const phase = (iterations: number, kind = 'mse') => ({ kind, iterations, learningRate: 1e-4 });
const file = { name: 'photos', dataset: 'ds', phases: [phase(1830)], checkpoints: { keep: 5 } };

/** A config file with settings, as `loadRunConfig` reads it. */
function load(settings: string[], changes: object = {}) {
  const tree = { ...structuredClone(file), ...changes } as Tree;
  for (const setting of settings) applySetting(tree, setting, parse);
  return parseRunConfig(tree, 'photos.yaml');
}

test('without the settings of the first start the run keeps them, and what differs is listed', async () => {
  const stored = load(['scheduleScale=0.5', 'validation.images=val', 'workers.count=2']);
  const { config, kept, changed } = await resumedConfig(load([]), stored, []);
  expect(config).toEqual(stored);
  expect(changed).toEqual([]);
  expect(kept).toEqual([
    { key: 'phases.0.iterations', before: 1830, after: 915 },
    { key: 'workers.count', before: 1, after: 2 },
    { key: 'validation', before: undefined, after: stored.validation },
  ]);
});

test('the same settings again change nothing', async () => {
  const settings = ['scheduleScale=0.5', 'validation.images=val'];
  const stored = load(settings);
  expect(await resumedConfig(load(settings), stored, settings)).toEqual({ config: stored, kept: [], changed: [] });
});

test.each([
  ['phases.0.iterations=2000', [{ key: 'phases.0.iterations', before: 915, after: 2000 }]],
  ['phases.0.learningRate=1.0e-5', [{ key: 'phases.0.learningRate', before: 1e-4, after: 1e-5 }]],
  ['scheduleScale=0.1', [{ key: 'phases.0.iterations', before: 915, after: 183 }]],
  ['checkpoints.keep=9', [{ key: 'checkpoints.keep', before: 5, after: 9 }]],
  ['validation=null', [{ key: 'validation', before: { images: 'file:///val', every: 5000, pictures: 4 } }]],
])('%s changes what it says', async (setting, expected) => {
  const stored = load(['scheduleScale=0.5', 'validation.images=/val']);
  const { changed } = await resumedConfig(load([setting]), stored, [setting]);
  expect(changed).toEqual(expected);
});

test('an edited file changes nothing, but the run’s place is where it was found', async () => {
  const stored = load([]);
  const given = load([], { store: '/moved', checkpoints: { keep: 1 }, phases: [phase(9)] });
  const { config, kept, changed } = await resumedConfig(given, stored, []);
  expect(config).toEqual({ ...stored, store: 'file:///moved' });
  expect(kept.map(({ key }) => key)).toEqual(['phases.0.iterations', 'checkpoints.keep']);
  expect(changed).toEqual([]);
});

test('a run that started from another keeps its start, and phases.N is one of the phases that it has', async () => {
  const phases = [phase(10), phase(20, 'gan'), phase(30, 'gan')];
  const loss = { content: 'mse' };
  const from = (...settings: string[]) => load(['startFrom=first', ...settings], { phases, loss });
  const stored = from();
  expect(stored.phases).toHaveLength(2);
  expect((await resumedConfig(load([], { phases, loss }), stored, [])).config).toEqual(stored);
  const { changed } = await resumedConfig(from('phases.1.iterations=99'), stored, [
    'startFrom=first',
    'phases.1.iterations=99',
  ]);
  expect(changed).toEqual([{ key: 'phases.1.iterations', before: 30, after: 99 }]);
  await expect(resumedConfig(load(['startFrom=other'], { phases, loss }), stored, ['startFrom=other'])).rejects.toThrow(
    'startFrom is other, but run photos began with first',
  );
  await expect(resumedConfig(load([], { phases, loss }), stored, ['startFrom=null'])).rejects.toThrow(
    'startFrom is none, but run photos began with first',
  );
});

test('the recipe of the first start may be named again', async () => {
  const stored = load([]);
  const settings = ['recipe=srresnet', 'logEvery=7'];
  const { changed } = await resumedConfig(load(['logEvery=7']), stored, settings);
  expect(changed).toEqual([{ key: 'logEvery', before: 100, after: 7 }]);
});
