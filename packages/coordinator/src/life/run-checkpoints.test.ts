import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, sha256 } from '@fourfold/common';
import {
  openStore,
  type ObjectStore,
  checkpointStore,
  listCheckpoints,
  readManifest,
  emptyHistory,
  toEvaluation,
  type History,
  pruneCheckpoints,
  saveCheckpoint,
  startingPoint,
} from '@fourfold/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { smallConfig } from '../test-config.js';
import { createMaster, type Master } from '../updates/master.js';

const datasetSha256 = sha256('dataset');
const log = createLogger('test');
log.level = 'silent';
const config = smallConfig();

let folder: string;
let run: ObjectStore;
let master: Master;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-run-checkpoints-'));
  run = openStore(folder);
  master = createMaster(config);
});
afterEach(async () => {
  await master.close();
  await rm(folder, { recursive: true });
});

const evaluationAt = (iteration: number, psnr: number) => toEvaluation(iteration, [{ picture: 'a', psnr, ssim: 0.5 }]);

/** One iteration, with a made-up gradient. */
async function iterate(): Promise<void> {
  for (const network of ['discriminator', 'generator'] as const) {
    master.state(network).sum.fill(0.25);
    await master.update(network, 1e-3);
  }
}

const save = async (term: number, history: History = emptyHistory()) => {
  const facts = { run: 'small', term, config, seed: 7, datasetSha256, workerKind: '' };
  return saveCheckpoint(run, facts, await snapshot(history), () => Promise.resolve());
};
const snapshot = async (history: History) => ({
  versions: master.versions(),
  history,
  files: await master.snapshot(),
});
/** The checkpoint that the run would resume from, which must be the one named. */
async function find(name: string) {
  const found = await begin(true);
  if (found?.name !== name) throw new Error(`found ${found?.name}, not ${name}`);
  return found;
}
const begin = (resume: boolean, sha = datasetSha256, from = config) => startingPoint(run, from, sha, resume, log);

test('a new run starts from nothing; an existing one needs --resume', async () => {
  expect(await begin(false)).toBeUndefined();
  expect(await begin(true)).toBeUndefined();
  const name = await save(1);
  await expect(begin(false)).rejects.toMatchObject({
    code: 'invalid',
    message: `run small already exists, up to checkpoint ${name}`,
  });
  expect((await begin(true))?.name).toBe(name);
});

test('a finished run says so, and how it is trained further', async () => {
  for (let i = 0; i < 9; i++) await iterate();
  const name = await save(1);
  await expect(begin(false)).rejects.toMatchObject({
    code: 'invalid',
    message: 'run small is finished, at iteration 9',
    options: { hint: expect.stringMatching(/such as --resume --set phases\.0\.iterations=N$/) as string },
  });
  const longer = { ...config, phases: [{ ...config.phases[0], iterations: 10 }] };
  await expect(begin(false, datasetSha256, longer)).rejects.toThrow(`already exists, up to checkpoint ${name}`);
});

test('a run cannot be resumed with another dataset or seed', async () => {
  await save(1);
  await expect(begin(true, sha256('other'))).rejects.toMatchObject({ code: 'invalid', message: /a different dataset/ });
  await expect(begin(true, datasetSha256, { ...config, seed: 8 })).rejects.toThrow('a different seed');
});

test('the restored state has the bits of the saved one, also between the halves', async () => {
  await iterate();
  master.state('discriminator').sum.fill(-0.5);
  await master.update('discriminator', 1e-3);
  const name = await save(1);
  const restored = createMaster(config);
  restored.restore(await find(name));
  expect(restored.versions()).toEqual({ generator: 1, discriminator: 2 });
  for (const network of master.networks) {
    const { vector, firstMoments, secondMoments } = restored.state(network);
    const expected = master.state(network);
    expect([...vector]).toEqual([...expected.vector]);
    expect([...firstMoments]).toEqual([...expected.firstMoments]);
    expect([...secondMoments]).toEqual([...expected.secondMoments]);
  }
  await restored.close();
});

test('phases that put the discriminator elsewhere are refused: it would never be due again', async () => {
  for (let i = 0; i < 3; i++) await iterate();
  const name = await save(1);
  const gan = config.phases[0];
  const phases = (mse: number) => [{ ...gan, kind: 'mse' as const, iterations: mse }, gan];
  await expect(begin(true, datasetSha256, { ...config, phases: phases(2) })).rejects.toMatchObject({
    code: 'invalid',
    message: `checkpoint ${name} of run small has 3 updates of the discriminator; by the config’s phases it has 1`,
  });
  // Later phases may change, and after the end of the schedule nothing is due.
  expect((await begin(true, datasetSha256, { ...config, phases: [gan, gan] }))?.name).toBe(name);
  expect((await begin(true, datasetSha256, { ...config, phases: [{ ...gan, iterations: 2 }] }))?.name).toBe(name);
});

test('another shape is refused by name', async () => {
  const name = await save(1);
  const wider = createMaster({ ...config, generator: { channels: 3, blocks: 1 } });
  const found = await find(name);
  expect(() => wider.restore(found)).toThrow(new RegExp(`${name}/generator.safetensors does not fit`));
  await wider.close();
});

test('pruning keeps the newest and the best, and removes what older terms left unfinished', async () => {
  const history: History = { rows: [], evaluations: [] };
  for (const psnr of [20, 29, 24, 25, 26]) {
    await iterate();
    history.evaluations.push(evaluationAt(master.versions().generator, psnr));
    await save(2, history);
  }
  await run.put('checkpoints/00000004-0001/generator.safetensors', 'of a coordinator that was killed');
  await run.put('checkpoints/00000006-0002/generator.safetensors', 'being written');
  await run.put('checkpoints/00000006-0003/generator.safetensors', 'of the coordinator that has taken over');
  await pruneCheckpoints(run, 2, { ...config, checkpoints: { every: 1, keep: 2 } }, history);
  expect(await listCheckpoints(run)).toEqual(['00000002-0002', '00000004-0002', '00000005-0002']);
  expect(await run.list('checkpoints/00000004-0001')).toEqual([]);
  for (const term of [2, 3]) expect(await run.list(`checkpoints/00000006-000${term}`)).toHaveLength(1);
  const { best } = await readManifest(checkpointStore(run, '00000005-0002'));
  expect(best).toEqual({ iteration: 2, psnr: 29 });
});

test('a copy under a user’s own name is neither pruned nor resumed from', async () => {
  for (let i = 0; i < 2; i++) {
    await iterate();
    await save(1);
  }
  const copies = ['00000001-0001-good', 'mine-1', 'zzz'];
  for (const copy of copies) {
    for (const { key } of await run.list('checkpoints/00000001-0001/')) {
      await run.put(`checkpoints/${copy}/${key.split('/')[2]}`, await run.get(key));
    }
  }
  await run.put('checkpoints/thesis-1/chapter.docx', 'begun');
  const before = (await run.list('checkpoints/'))
    .map(({ key }) => key)
    .filter((key) => !/\/0000000\d-0001\//.test(key));
  await pruneCheckpoints(run, 2, { ...config, checkpoints: { every: 1, keep: 1 } }, emptyHistory());
  expect(await listCheckpoints(run)).toEqual(['00000002-0001']);
  const after = (await run.list('checkpoints/')).map(({ key }) => key);
  expect(after).toEqual(expect.arrayContaining(before));
  expect(after.some((key) => key.startsWith('checkpoints/00000001-0001/'))).toBe(false);
  await find('00000002-0001');
});

test('a checkpoint that cannot be removed does not keep others from being removed, and its reason is reported', async () => {
  for (let i = 0; i < 4; i++) {
    await iterate();
    await save(1);
  }
  const denied = new Error('denied');
  const locked: ObjectStore = {
    ...run,
    remove: (key) => (key.includes('00000001') ? Promise.reject(denied) : run.remove(key)),
  };
  const keepOne = { ...config, checkpoints: { every: 1, keep: 1 } };
  await expect(pruneCheckpoints(locked, 1, keepOne, emptyHistory())).rejects.toBe(denied);
  expect(await listCheckpoints(run)).toEqual(['00000001-0001', '00000004-0001']);
});

test('the best is the best of those that have a checkpoint', async () => {
  const history: History = { rows: [], evaluations: [evaluationAt(1, 20), evaluationAt(2, 30)] };
  await iterate();
  await save(1, history);
  for (let i = 0; i < 2; i++) await iterate();
  await save(1, history);
  await pruneCheckpoints(run, 1, { ...config, checkpoints: { every: 1, keep: 1 } }, history);
  expect(await listCheckpoints(run)).toEqual(['00000001-0001', '00000003-0001']);
});
