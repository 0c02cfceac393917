import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  claimTerm,
  createTermGuard,
  newestTermNumber,
  openStore,
  type ObjectStore,
  checkpointStore,
  listCheckpoints,
  listStore,
  openCheckpoint,
  emptyHistory,
  toEvaluation,
  pruneCheckpoints,
  saveCheckpoint,
} from '@fourfold/store';
import { createLogger, sha256 } from '@fourfold/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { smallConfig } from '../test-config.js';
import { createMaster, type Master } from '../updates/master.js';
import { readStart, takeOffice, type Start } from './take-office.js';

/*
 * Successive coordinators of one run: each claims, then reads; what its predecessor writes after that does not count.
 */

const datasetSha256 = sha256('dataset');
const log = createLogger('test');
log.level = 'silent';
const config = smallConfig({
  phases: [{ kind: 'mse', iterations: 9, learningRate: 1e-3 }],
  checkpoints: { every: 1, keep: 2 },
});

let folder: string;
let run: ObjectStore;
let masters: Master[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-office-'));
  run = openStore(folder).at('runs/small');
  masters = [];
});
afterEach(async () => {
  for (const master of masters) await master.close();
  await rm(folder, { recursive: true });
});

const optionsOf = (resume: boolean) => ({ run, config, datasetSha256, resume, log });
const keep = <T extends { master: Master }>(start: T): T => {
  masters.push(start.master);
  return start;
};
const begin = async (read?: Start) =>
  keep(await takeOffice(optionsOf(true), read ?? (await readStart(optionsOf(true))), 'a:1'));

/** Publish the checkpoint of an iteration in a term, as a coordinator that believes it is in office. */
async function publish(term: number, iteration: number): Promise<string> {
  const { master } = keep({ master: createMaster(config) });
  while (master.versions().generator < iteration) {
    master.state('generator').sum.fill(0.25);
    await master.update('generator', 1e-3);
  }
  const files = await master.snapshot();
  // Later iterations of an older term look better: they must not count as the best.
  const evaluations = [toEvaluation(iteration, [{ picture: 'a', psnr: 40 - term + iteration, ssim: 1 }])];
  const facts = { run: 'small', term, config, seed: 7, datasetSha256, workerKind: '' };
  const snapshot = { versions: master.versions(), history: { rows: [], evaluations }, files };
  return saveCheckpoint(run, facts, snapshot, () => Promise.resolve());
}

test('a term records where it resumed from before it does anything else', async () => {
  const first = await begin();
  expect([first.term, first.saved]).toEqual([1, undefined]);
  const name = await publish(1, 2);
  expect(await begin()).toMatchObject({ term: 2, saved: { name }, manifest: { iteration: 2 } });
  expect((await run.list('terms/')).map(({ key }) => key)).toEqual([
    'terms/00000001.from-nothing.json',
    'terms/00000001.json',
    `terms/00000002.from-${name}.json`,
    'terms/00000002.json',
  ]);
});

test('a term resumes from what its predecessor publishes before the claim; anything later does not count', async () => {
  await begin();
  await publish(1, 1);
  const read = await readStart(optionsOf(true));
  const meanwhile = await publish(1, 2);
  const { term, saved, master } = await begin(read);
  expect(saved?.name).toBe(meanwhile);
  expect(master.versions().generator).toBe(2);
  // The partition heals.
  const late = await publish(1, 5);
  expect(await listCheckpoints(run)).toEqual(['00000001-0001', meanwhile]);
  const own = await publish(term, 3);

  const listed = await listStore(run);
  expect(listed.map(({ name }) => name)).toEqual(['00000001-0001', meanwhile, own, late]);
  expect(listed.at(-1)).toEqual({
    run: 'small',
    name: late,
    url: checkpointStore(run, late).url,
    superseded: 'a newer term than 1 had already resumed from an earlier checkpoint',
  });
  expect((await openCheckpoint(run.url, expect.unreachable)).manifest.iteration).toBe(3);
  expect((await openCheckpoint(`${run.url}/best`, expect.unreachable)).manifest.iteration).toBe(2);
  expect((await readStart(optionsOf(true)).then(keep)).saved?.name).toBe(own);

  await pruneCheckpoints(run, term, config, emptyHistory());
  expect(await run.list(`checkpoints/${late}`)).toEqual([]);
  expect(await listCheckpoints(run)).toEqual([meanwhile, own]);
});

test('an older term prunes nothing of a newer one', async () => {
  await begin();
  await publish(1, 1);
  const { term } = await begin();
  const name = await publish(term, 2);
  await pruneCheckpoints(run, 1, config, emptyHistory());
  expect(await listCheckpoints(run)).toContain(name);
});

test('a run that exists, or cannot be resumed, is refused before a term is claimed', async () => {
  const { term } = await begin();
  await publish(term, 1);
  await expect(readStart(optionsOf(false))).rejects.toMatchObject({ code: 'invalid', message: /already exists/ });
  await expect(readStart({ ...optionsOf(true), datasetSha256: sha256('other') })).rejects.toThrow(
    'a different dataset',
  );
  const wider = { ...config, generator: { channels: 3, blocks: 1 } };
  await expect(readStart({ ...optionsOf(true), config: wider })).rejects.toThrow('does not fit');
  expect(await newestTermNumber(run)).toBe(1);
});

test('a coordinator that is overtaken between claim and start records nothing', async () => {
  const read = await readStart(optionsOf(true)).then(keep);
  const overtaken: ObjectStore = {
    ...run,
    async list(prefix) {
      // It is frozen after its claim, before it looks at the checkpoints again.
      if (prefix === 'checkpoints/') await claimTerm(run, 'b:1');
      return run.list(prefix);
    },
  };
  await expect(takeOffice({ ...optionsOf(true), run: overtaken }, read, 'a:1')).rejects.toMatchObject({
    code: 'conflict',
  });
  expect((await run.list('terms/')).map(({ key }) => key)).toEqual(['terms/00000001.json', 'terms/00000002.json']);
});

test('a coordinator that was superseded while it wrote publishes no manifest', async () => {
  const { guard, master } = await begin();
  const files = await master.snapshot();
  const snapshot = { versions: master.versions(), history: emptyHistory(), files };
  const facts = { run: 'small', term: 1, config, seed: 7, datasetSha256, workerKind: '' };
  const newer = createTermGuard(run, await claimTerm(run, 'b:1'), 1000);
  await expect(saveCheckpoint(run, facts, snapshot, () => guard.check())).rejects.toMatchObject({ code: 'conflict' });
  expect(await run.list('checkpoints/')).toEqual([]);
  await newer.check();
});
