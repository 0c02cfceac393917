import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FourfoldError, sha256 } from '@fourfold/common';
import { openStore } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  checkpointStore,
  listCheckpoints,
  newestWholeCheckpoint,
  readCheckpointFile,
  readManifest,
  removeCheckpoint,
  verifyCheckpoint,
  writeCheckpoint,
  type CheckpointFacts,
} from './checkpoint.js';
import { evaluationOf, listStore } from './checkpoint-list.js';
import { openCheckpoint } from './checkpoint-source.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-checkpoints-'));
  run = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const facts = (iteration: number, term = 1): CheckpointFacts => ({
  run: 'small',
  iteration,
  versions: { generator: iteration, discriminator: 0 },
  finished: false,
  term,
  config: { seed: 7 },
  seed: 7,
  datasetSha256: sha256('dataset'),
  workerKind: '{}',
  history: { rows: [], evaluations: [] },
});
const weights = { 'generator.safetensors': Buffer.from('weights'), 'other.safetensors': Buffer.from('') };
const allowed = () => Promise.resolve();
const write = (iteration: number, term = 1) => writeCheckpoint(run, facts(iteration, term), weights, allowed);
const pathOf = (name: string, file: string) => join(fileURLToPath(checkpointStore(run, name).url), file);

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] ^= 1;
  await writeFile(path, bytes);
}

/** The store with its puts observed or broken. */
const withPut = (store: ObjectStore, put: (inner: ObjectStore, key: string, body: Uint8Array | string) => unknown) => {
  const wrapped: ObjectStore = {
    ...store,
    put: async (key, body) => void (await put(store, key, body)),
    at: (prefix) => withPut(store.at(prefix), put),
  };
  return wrapped;
};

test('a checkpoint is listed, read and verified', async () => {
  expect(await listCheckpoints(run)).toEqual([]);
  expect(await newestWholeCheckpoint(run, expect.unreachable)).toBeUndefined();
  expect(await write(12, 3)).toBe('00000012-0003');
  const store = checkpointStore(run, '00000012-0003');
  const manifest = await verifyCheckpoint(store);
  expect(manifest).toMatchObject({ ...facts(12, 3), format: 1 });
  expect(manifest.files['generator.safetensors']).toEqual({ sizeBytes: 7, sha256: sha256('weights') });
  expect(await readCheckpointFile(store, manifest, 'generator.safetensors')).toEqual(Buffer.from('weights'));
  await expect(readCheckpointFile(store, manifest, 'vgg.safetensors')).rejects.toMatchObject({ code: 'not-found' });
});

test('names sort by iteration, then term', async () => {
  for (const [iteration, term] of [[100, 1], [20, 2], [20, 10], [3, 1]]) await write(iteration, term); // prettier-ignore
  expect(await listCheckpoints(run)).toEqual(['00000003-0001', '00000020-0002', '00000020-0010', '00000100-0001']);
});

test('the manifest is put last, after the other files', async () => {
  const keys: string[] = [];
  const observed = withPut(run, async (inner, key, body) => {
    if (key === 'manifest.json') {
      const there = (await inner.list('')).map((object) => object.key);
      expect(there).toEqual(Object.keys(weights).sort());
    }
    keys.push(key);
    await inner.put(key, body);
  });
  await writeCheckpoint(observed, facts(1), weights, allowed);
  expect(keys).toEqual([...Object.keys(weights), 'manifest.json']);
});

test.each(['generator.safetensors', 'other.safetensors', 'manifest.json'])(
  'a put of %s that fails leaves nothing of the checkpoint, and the older one whole',
  async (failing) => {
    await write(1);
    const full = withPut(run, (inner, key, body) => {
      if (key === failing) throw new FourfoldError('no-space', 'the disk is full');
      return inner.put(key, body);
    });
    await expect(writeCheckpoint(full, facts(2), weights, allowed)).rejects.toThrow('the disk is full');
    expect(await run.list('checkpoints/00000002')).toEqual([]);
    expect((await newestWholeCheckpoint(run, expect.unreachable))?.name).toBe('00000001-0001');
  },
);

test('a coordinator that may not publish leaves nothing', async () => {
  await write(1);
  const refuse = () => Promise.reject(new FourfoldError('conflict', 'a newer coordinator has taken over'));
  await expect(writeCheckpoint(run, facts(2), weights, refuse)).rejects.toMatchObject({ code: 'conflict' });
  expect(await run.list('checkpoints/00000002')).toEqual([]);
  expect(await listCheckpoints(run)).toEqual(['00000001-0001']);
});

test('a manifest whose answer was lost stays if a successor may have resumed from it', async () => {
  let isOver = false;
  const lossy: ObjectStore = {
    ...run,
    at: (place) => ({
      ...run.at(place),
      async put(key, body) {
        await run.at(place).put(key, body);
        if (key !== 'manifest.json') return;
        isOver = true;
        throw new FourfoldError('refused', 'the answer was lost');
      },
    }),
  };
  const mayPublish = () => (isOver ? Promise.reject(new FourfoldError('conflict', 'a newer term')) : Promise.resolve());
  await expect(writeCheckpoint(lossy, facts(2), weights, mayPublish)).rejects.toMatchObject({ code: 'refused' });
  expect(await listCheckpoints(run)).toEqual(['00000002-0001']);
});

test('the newest whole checkpoint is found among newer, damaged ones', async () => {
  for (const iteration of [1, 2, 3, 4]) await write(iteration);
  await flipByte(pathOf('00000002-0001', 'generator.safetensors'));
  await rm(pathOf('00000003-0001', 'other.safetensors'));
  await writeFile(pathOf('00000004-0001', 'manifest.json'), '{"format": 1}');
  const passed: [string, unknown][] = [];
  const found = await newestWholeCheckpoint(run, (...damage) => passed.push(damage));
  expect(found).toMatchObject({ name: '00000001-0001', url: checkpointStore(run, '00000001-0001').url });
  expect(found?.files).toEqual(weights);
  expect(passed.map(([name, error]) => [name, (error as FourfoldError).code])).toEqual([
    ['00000004-0001', 'corrupt'],
    ['00000003-0001', 'not-found'],
    ['00000002-0001', 'corrupt'],
  ]);
  expect(await listCheckpoints(run)).toHaveLength(4);
});

test('a store that cannot be reached does not make a run resume from an older checkpoint', async () => {
  for (const iteration of [1, 2]) await write(iteration);
  const away = new FourfoldError('unavailable', 'the store is away');
  const at = (path: string): ObjectStore => {
    const part = run.at(path);
    return path.includes('00000002') ? { ...part, get: () => Promise.reject(away) } : part;
  };
  await expect(newestWholeCheckpoint({ ...run, at }, () => undefined)).rejects.toBe(away);
});

test('a run with only damaged checkpoints fails with the oldest one’s reason, and keeps them', async () => {
  for (const iteration of [1, 2]) await write(iteration);
  for (const name of await listCheckpoints(run)) await flipByte(pathOf(name, 'generator.safetensors'));
  await expect(newestWholeCheckpoint(run, () => undefined)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('00000001-0001/generator.safetensors is damaged') as string,
  });
  expect(await listCheckpoints(run)).toHaveLength(2);
});

test('a manifest of another format is refused by name', async () => {
  await write(1);
  const path = pathOf('00000001-0001', 'manifest.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...manifest, format: 2 }));
  await expect(readManifest(checkpointStore(run, '00000001-0001'))).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('00000001-0001/manifest.json is not a checkpoint’s manifest'.replace('’', "'")) as string, // prettier-ignore
  });
});

test('a checkpoint is removed manifest first', async () => {
  await write(1);
  const removed: string[] = [];
  const watched = {
    ...run,
    remove: (key: string) => run.remove((removed.push(key), key)),
    tidyFolder: (key: string) => run.tidyFolder((removed.push(key), key)),
  };
  await removeCheckpoint(watched, '00000001-0001');
  const place = 'checkpoints/00000001-0001';
  expect(removed).toEqual([
    ...['manifest.json', ...Object.keys(weights).sort()].map((file) => `${place}/${file}`),
    place,
  ]);
  expect(await readdir(join(folder, 'checkpoints'))).toEqual([]);
});

test('a user’s files beside a checkpoint’s outlive the checkpoint', async () => {
  await write(1);
  await run.put('checkpoints/00000001-0001/model.onnx', 'exported');
  await run.put('checkpoints/00000001-0001/onnx/README.md', 'exported');
  await run.put('checkpoints/00000001-0001/mine.safetensors', 'mine');
  await removeCheckpoint(run, '00000001-0001');
  expect((await run.list('checkpoints/')).map(({ key }) => key)).toEqual(
    ['mine.safetensors', 'model.onnx', 'onnx/README.md'].map((file) => `checkpoints/00000001-0001/${file}`),
  );
});

test.each(['../generator.safetensors', '/etc/passwd', 'a/b', '..', '', 'a\\b'])(
  'a manifest that names a file %j is refused before anything is read',
  async (file) => {
    await write(1);
    const path = pathOf('00000001-0001', 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as { files: object };
    await writeFile(path, JSON.stringify({ ...manifest, files: { [file]: { sizeBytes: 1, sha256: 'x' } } }));
    await expect(readManifest(checkpointStore(run, '00000001-0001'))).rejects.toMatchObject({ code: 'corrupt' });
  },
);

test("a checkpoint's evaluation is found in itself, or in the run's later checkpoints, and nowhere else", async () => {
  const writeWith = async (iteration: number, evaluated: number[], of = run) => {
    const evaluations = evaluated.map((at) => ({ iteration: at, psnr: 20 + at, ssim: 0.5, pictures: [] }));
    const history = { rows: [], evaluations };
    const store = checkpointStore(of, await writeCheckpoint(of, { ...facts(iteration), history }, weights, allowed));
    return { store, manifest: await readManifest(store) };
  };
  const first = await writeWith(4, []);
  expect(await evaluationOf(first)).toBeUndefined();
  const second = await writeWith(8, [4]);
  const last = await writeWith(9, [4, 8, 9]);
  expect(await evaluationOf(first)).toMatchObject({ iteration: 4, psnr: 24 });
  expect(await evaluationOf(second)).toMatchObject({ psnr: 28 });
  expect(await evaluationOf(last)).toMatchObject({ psnr: 29 });
  expect(await evaluationOf({ ...second, store: openStore(join(folder, 'pulled')) })).toBeUndefined();
});

test('the best is by the newest bestBy, also among checkpoints that were written with another', async () => {
  const scores = [
    { iteration: 1, bestBy: 'psnr', psnr: 25, ssim: 0.7, lpips: 0.3 },
    { iteration: 2, bestBy: 'lpips', psnr: 24, ssim: 0.7, lpips: 0.1 },
    { iteration: 3, bestBy: 'lpips', psnr: 23, ssim: 0.7, lpips: 0.2 },
  ];
  for (const { iteration, bestBy, ...score } of scores) {
    const history = { rows: [], evaluations: [{ iteration, ...score, pictures: [] }] };
    await writeCheckpoint(run, { ...facts(iteration), config: { checkpoints: { bestBy } }, history }, weights, allowed);
  }
  const listed = await listStore(run);
  expect(listed.map((each) => 'best' in each && each.best)).toEqual([false, true, false]);
  const best = await openCheckpoint(`${folder}/best`, expect.unreachable);
  expect(best.manifest.iteration).toBe(2);
});
