import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openStore, checkpointStore, listCheckpoints, readManifest, type Evaluation } from '@fourfold/store';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import { expectFinished, killAll, photographs } from './support/process.js';
import {
  prepareSmallRuns,
  startCoordinator,
  startWorkers,
  type SmallRun,
  type SmallRuns,
} from './support/small-run.js';
import { lacks } from './support/needs.mjs';

/*
 * Validation pictures in MinIO, and their results in MinIO, as in a folder.
 */

const pictures = ['coffee.png', 'hedgehog.jpg'];
const views = ['00000004', '00000008', 'bicubic', 'original'];

/** An evaluation of a whole photograph takes longer than the run. */
const smallPicture = (name: string) =>
  sharp(join(photographs, 'held-out', name))
    .resize(120, 80)
    .toBuffer();

async function runToEnd(run: SmallRun): Promise<Evaluation[]> {
  const coordinator = startCoordinator(run);
  const [worker] = startWorkers(run, 1);
  for (const process of [coordinator, worker]) await expectFinished(process);
  const newest = (await listCheckpoints(run.store)).at(-1) as string;
  return (await readManifest(checkpointStore(run.store, newest))).history.evaluations;
}

describe.skipIf(lacks('servers', !!findProgram('minio')))('MinIO (after npm run setup:servers)', () => {
  let minio: LocalMinio;
  let inFolder: SmallRuns;
  let inMinio: SmallRuns;

  beforeAll(async () => {
    minio = await startMinio();
    Object.assign(process.env, minio.environment);
    inFolder = await prepareSmallRuns();
    inMinio = await prepareSmallRuns('wasm', 's3://fourfold/small');
  });
  afterEach(killAll);
  afterAll(async () => {
    await Promise.all([inFolder, inMinio].map((runs) => runs.remove()));
    await minio.stop();
  });

  test('the same scores and the same pictures', async () => {
    const of = async (runs: SmallRuns, images: string) => {
      for (const name of pictures) {
        await openStore(images).put(`set/${name}`, await smallPicture(name));
      }
      const run = await runs.create('validated', `validation: { images: "${images}", every: 4, pictures: 1 }\n`);
      const evaluations = await runToEnd(run);
      const keys = (await run.store.list('validation/')).map(({ key }) => key);
      return { evaluations, keys, bytes: await Promise.all(keys.map((key) => run.store.get(key))) };
    };
    const reference = await of(inFolder, join(inFolder.folder, 'images'));
    const { evaluations, keys, bytes } = await of(inMinio, 's3://fourfold/images');
    expect(evaluations.map(({ iteration }) => iteration)).toEqual([3, 4, 8]);
    // The same digest of the pictures, too; they lie elsewhere.
    const elsewhere = ({ of, ...figures }: Evaluation) => ({ ...figures, of: { ...of, images: '' } });
    expect(evaluations.map(elsewhere)).toEqual(reference.evaluations.map(elsewhere));
    // The name holds a slash, so that its folder is a sanitised name and a hash.
    const [, folder] = keys[0].split('/');
    expect(folder).toMatch(/^set-coffee-png-[0-9a-f]{8}$/);
    expect(keys).toEqual(['00000003', ...views].map((view) => `validation/${folder}/${view}.webp`));
    expect(keys).toEqual(reference.keys);
    for (const [i, body] of bytes.entries()) expect(body.equals(reference.bytes[i]), keys[i]).toBe(true);
  });
});
