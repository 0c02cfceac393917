import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, FourfoldError, sha256 } from '@fourfold/common';
import {
  openStore,
  type ObjectStore,
  listCheckpoints,
  newestWholeCheckpoint,
  emptyHistory,
  type History,
  type WholeCheckpoint,
} from '@fourfold/store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCheckpointSaver, type SavedCheckpoint } from './checkpoint-saver.js';
import { createHousekeeping, type Housekeeping } from '../life/housekeeping.js';
import { smallConfig } from '../test-config.js';
import { createMaster, type Master } from './master.js';
import type { SnapshotMemory } from './snapshot.js';

const config = smallConfig({ checkpoints: { keep: 1 } });

let folder: string;
let run: ObjectStore;
let master: Master;
let history: History;
/** The store's puts wait for this gate to open. */
let gate: { open: () => void; passed: Promise<void> };
let putFailure: Error | undefined;
let removeFailure: Error | undefined;
let mayPublish: () => Promise<void>;
const saved: SavedCheckpoint[] = [];
const failures: unknown[] = [];
let housekeeping: Housekeeping;
const log = createLogger('test');
log.level = 'silent';

const shut = () => {
  let open = () => undefined as void;
  const passed = new Promise<void>((resolve) => (open = resolve));
  gate = { open, passed };
};

const gated = (store: ObjectStore): ObjectStore => ({
  ...store,
  async put(key, body, options) {
    await gate.passed;
    if (putFailure) throw putFailure;
    return store.put(key, body, options);
  },
  remove: (key) => (removeFailure ? Promise.reject(removeFailure) : store.remove(key)),
  at: (prefix) => gated(store.at(prefix)),
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-saver-'));
  run = openStore(folder);
  master = createMaster(config);
  history = emptyHistory();
  putFailure = removeFailure = undefined;
  mayPublish = () => Promise.resolve();
  saved.length = failures.length = 0;
  housekeeping = createHousekeeping(log);
  shut();
});
afterEach(async () => {
  gate.open();
  vi.restoreAllMocks();
  await master.close();
  await rm(folder, { recursive: true });
});

const createSaver = () =>
  createCheckpointSaver({
    run: gated(run),
    facts: () => ({ run: 'small', term: 1, config, seed: 0, datasetSha256: sha256(''), workerKind: '' }),
    master,
    history: () => history,
    mayPublish: () => mayPublish(),
    housekeeping,
    log,
    onSaved: (checkpoint) => saved.push(checkpoint),
    onFailed: (error) => failures.push(error),
  });

/** One iteration, with a made-up gradient. */
async function iterate(): Promise<void> {
  for (const network of ['discriminator', 'generator'] as const) {
    master.state(network).sum.fill(0.25);
    await master.update(network, 1e-3);
  }
  history.rows.push({ iteration: master.versions().generator, phase: 0, learningRate: 1e-3, losses: {} });
}

const weights = () => sha256(Buffer.from(master.state('generator').vector.slice().buffer));

/** Of the newest checkpoint. */
async function restored() {
  const found = await newestWholeCheckpoint(run, expect.unreachable);
  if (!found) throw new Error('no checkpoint found');
  return { name: found.name, manifest: found.manifest, weights: await weightsIn(found) };
}

/** What a master would resume with. */
async function weightsIn(found: WholeCheckpoint): Promise<string> {
  const other = createMaster(config);
  other.restore(found);
  const digest = sha256(Buffer.from(other.state('generator').vector.slice().buffer));
  await other.close();
  return digest;
}

test('updates continue while a checkpoint is written, which holds the state as it was', async () => {
  const saver = createSaver();
  await iterate();
  const expected = weights();
  await saver.save();
  for (let i = 0; i < 3; i++) await iterate();
  expect(weights()).not.toBe(expected);
  expect(await listCheckpoints(run)).toEqual([]);
  gate.open();
  await saver.settled();
  const found = await restored();
  expect(found).toMatchObject({ name: '00000001-0001', weights: expected });
  expect(found.manifest).toMatchObject({ versions: { generator: 1, discriminator: 1 }, history: { rows: [{}] } });
  expect(saved).toEqual([
    {
      checkpoint: '00000001-0001',
      sizeBytes: Object.values(found.manifest.files).reduce((sum, file) => sum + file.sizeBytes, 0),
      copySeconds: expect.any(Number) as number,
      writeSeconds: expect.any(Number) as number,
    },
  ]);
});

test('a checkpoint waits for the previous one and says so; both are whole, and the first is removed', async () => {
  const saver = createSaver();
  const warn = vi.spyOn(log, 'warn');
  await iterate();
  await saver.save();
  await iterate();
  const expected = weights();
  let hasSaved = false;
  const next = saver.save().then(() => (hasSaved = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(hasSaved).toBe(false);
  expect(warn.mock.calls.map(([fields]) => fields)).toEqual([
    { event: 'checkpoint-late', iteration: 2, reason: 'the checkpoint of iteration 1 is still being written' },
  ]);
  gate.open();
  await next;
  await saver.settled();
  expect(saved.map(({ checkpoint }) => checkpoint)).toEqual(['00000001-0001', '00000002-0001']);
  expect(await listCheckpoints(run)).toEqual(['00000002-0001']);
  expect((await restored()).weights).toBe(expected);
});

test('a store that takes long holds no updates: a checkpoint is postponed, which is said once, until the store is free', async () => {
  const saver = createSaver();
  const warn = vi.spyOn(log, 'warn');
  await iterate();
  expect(await saver.save(true)).toBe(true);
  for (let i = 0; i < 5; i++) {
    await iterate();
    expect(await saver.save(true)).toBe(false);
  }
  const reason = 'the checkpoint of iteration 1 is still being written';
  expect(warn.mock.calls).toEqual([
    [{ event: 'checkpoint-late', iteration: 2, reason }, `a checkpoint is postponed: ${reason}`],
  ]);
  gate.open();
  await saver.settled();
  await iterate();
  const expected = weights();
  expect(await saver.save(true)).toBe(true);
  await saver.settled();
  expect(await restored()).toMatchObject({ name: '00000007-0001', weights: expected });
});

const asCheckpoint = (files: Record<string, Uint8Array>): WholeCheckpoint => ({
  url: 'memory',
  manifest: { files: { 'discriminator.safetensors': {} }, versions: master.versions() } as never,
  files,
});

test('a snapshot’s memory is used again, and an update that would overwrite what is being copied waits', async () => {
  await iterate();
  const expected = weights();
  const memory: SnapshotMemory = new Map();
  const copied = vi.fn();
  const copy = master.snapshot(memory).finally(copied);
  // The first update of a network writes the other copy of its state, the second the one that is being copied.
  await iterate();
  await iterate();
  expect(copied).toHaveBeenCalled();
  const first = await copy;
  expect(await weightsIn(asCheckpoint(first))).toBe(expected);
  const second = await master.snapshot(memory);
  expect(Object.values(second).map(({ buffer }) => buffer)).toEqual(Object.values(first).map(({ buffer }) => buffer));
  expect(await weightsIn(asCheckpoint(second))).toBe(weights());
});

test('an iteration is saved once, even while its checkpoint is still being written', async () => {
  const saver = createSaver();
  const put = vi.spyOn(run, 'at');
  await iterate();
  await saver.save();
  master.state('discriminator').sum.fill(0.25);
  await master.update('discriminator', 1e-3);
  await saver.save();
  gate.open();
  await saver.settled();
  expect(put.mock.calls.filter(([prefix]) => prefix.startsWith('checkpoints/'))).toHaveLength(1);
  expect((await restored()).manifest.versions).toEqual({ generator: 1, discriminator: 1 });
});

test.each([
  ['a store that is full', () => (putFailure = new FourfoldError('no-space', 'the disk is full')), 'no-space'],
  ['a newer term', () => (mayPublish = () => Promise.reject(new FourfoldError('conflict', 'taken over'))), 'conflict'],
])('%s: it is reported at once, and to later callers; older checkpoints stay', async (_, fail, code) => {
  gate.open();
  const saver = createSaver();
  await iterate();
  await saver.save();
  await saver.settled();
  shut();
  fail();
  await iterate();
  await saver.save();
  gate.open();
  await expect.poll(() => failures).toEqual([expect.objectContaining({ code })]);
  await iterate();
  await expect(saver.save()).rejects.toMatchObject({ code });
  await expect(saver.settled()).rejects.toMatchObject({ code });
  expect((await run.list('checkpoints/')).map(({ key }) => key.split('/')[1])).toEqual(
    Array<string>(5).fill('00000001-0001'),
  );
});

test('old checkpoints that cannot be removed delay nothing and fail nothing; they go once they can be removed', async () => {
  gate.open();
  const saver = createSaver();
  removeFailure = new FourfoldError('refused', 'photos/checkpoints is not allowed');
  for (let i = 0; i < 3; i++) {
    await iterate();
    await saver.save();
    await saver.settled();
  }
  expect(failures).toEqual([]);
  expect(saved).toHaveLength(3);
  expect(housekeeping.failures().checkpoints).toBe(2);
  expect(await listCheckpoints(run)).toHaveLength(3);
  removeFailure = undefined;
  await iterate();
  await saver.save();
  await saver.settled();
  expect(await listCheckpoints(run)).toEqual(['00000004-0001']);
});

test('a coordinator that is superseded just after it has written its checkpoint removes nothing', async () => {
  gate.open();
  const saver = createSaver();
  await iterate();
  await saver.save();
  await saver.settled();
  let looks = 0;
  const isOver = () => ++looks > 1;
  mayPublish = () => (isOver() ? Promise.reject(new FourfoldError('conflict', 'taken over')) : Promise.resolve());
  await iterate();
  await saver.save();
  await saver.settled();
  expect(await listCheckpoints(run)).toEqual(['00000001-0001', '00000002-0001']);
});

test('an update that fails half-way leaves the state as it was, and the checkpoint holds that', async () => {
  gate.open();
  const saver = createSaver();
  await iterate();
  const expected = weights();
  master.state('generator').sum.fill(NaN);
  await expect(master.update('generator', 1e-3)).rejects.toThrow(
    /^update 2 of the generator makes head\/conv\/filter \(element 0 of 486\) NaN or infinite/,
  );
  await master.updater.close();
  await expect(master.update('generator', 1e-3)).rejects.toThrow(/a thread of the coordinator’s arithmetic ended/);
  expect(master.versions()).toEqual({ generator: 1, discriminator: 1 });
  expect(weights()).toBe(expected);
  await saver.save();
  await saver.settled();
  expect((await restored()).weights).toBe(expected);
});
