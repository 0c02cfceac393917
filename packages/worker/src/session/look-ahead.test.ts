import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contentFeatures, createLogger, FourfoldError, parseRunConfig } from '@fourfold/common';
import { encodePng } from '@fourfold/imaging';
import { contentLayout, lpipsLayout, safetensorsFromVector } from '@fourfold/weights';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lookAhead, type LookOptions } from './look-ahead.js';

const heldOut = fileURLToPath(new URL('../../../../examples/photographs/held-out/', import.meta.url));

let folder: string;
let images: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-look-'));
  images = join(folder, 'images');
  await mkdir(images);
});
afterEach(() => rm(folder, { recursive: true }));

const options: LookOptions = { decodeMs: 60_000, signal: new AbortController().signal };

const look = (changes: object, more: Partial<LookOptions> = {}) =>
  lookAhead(
    parseRunConfig(
      {
        name: 'look',
        dataset: 'd',
        phases: [{ kind: 'content', iterations: 1, learningRate: 1e-4 }],
        loss: { content: 'mse' },
        validation: { images },
        ...changes,
      },
      'test',
    ),
    { ...options, ...more },
  );

/** A reason's code and message. */
const refusal = (changes: object) =>
  look(changes).then(
    () => 'nothing',
    (error: unknown) => (error instanceof FourfoldError ? `${error.code}: ${error.message}` : error),
  );

test('validation pictures that are missing, or are not pictures', async () => {
  expect(await refusal({ validation: { images: join(folder, 'nowhere') } })).toMatch(
    /^not-found: .*nowhere does not exist/,
  );
  expect(await refusal({})).toMatch(/^invalid: .*images holds no pictures to measure on: it is empty$/);
  await writeFile(join(images, 'phone.heic'), 'no matter what');
  expect(await refusal({})).toMatch(/ \(1 file left out: phone\.heic: it is HEIC, which is not supported: convert/);
});

test('a validation picture that cannot be used is named', async () => {
  await cp(join(heldOut, 'raccoon.jpg'), join(images, 'a.jpg'));
  const jpeg = await readFile(join(heldOut, 'hedgehog.jpg'));
  const bad: [bytes: Buffer, reason: string][] = [
    [Buffer.alloc(0), 'it is empty: 0 bytes'],
    [jpeg.subarray(0, jpeg.length / 2), 'truncated or damaged'],
    [
      await encodePng({ data: new Uint8Array(3 * 19 * 30), width: 19, height: 30 }),
      'too small to measure: 19x30, both sides must be at least 20',
    ],
  ];
  for (const [bytes, reason] of bad) {
    await writeFile(join(images, 'b.jpg'), bytes);
    expect(await refusal({})).toBe(`invalid: ${images}/b.jpg: ${reason}`);
  }
});

test('a validation picture that is too small for LPIPS is named', async () => {
  const layout = lpipsLayout('alexnet');
  const lpipsWeights = join(folder, 'weights.safetensors');
  await writeFile(lpipsWeights, safetensorsFromVector(layout, new Float32Array(layout.length), {}));
  await cp(join(heldOut, 'raccoon.jpg'), join(images, 'a.jpg'));
  await writeFile(join(images, 'b.png'), await encodePng({ data: new Uint8Array(3 * 35 * 40), width: 35, height: 40 }));
  expect(await refusal({ validation: { images, lpips: 'alex', lpipsWeights } })).toBe('nothing');
  await writeFile(join(images, 'b.png'), await encodePng({ data: new Uint8Array(3 * 31 * 40), width: 31, height: 40 }));
  expect(await refusal({ validation: { images, lpips: 'alex', lpipsWeights } })).toBe(
    `invalid: ${images}/b.png: too small for LPIPS: 28x40, both sides must be at least 32`,
  );
});

test('the log says how many pictures are usable, and how many there was time to decode', async () => {
  for (const name of ['a.jpg', 'b.jpg']) await cp(join(heldOut, 'raccoon.jpg'), join(images, name));
  await writeFile(join(images, 'notes.txt'), 'text');
  const log = createLogger('test');
  const info = vi.spyOn(log, 'info').mockReturnValue();
  await look({}, { log });
  const leftOut = [{ file: 'notes.txt', reason: 'not named like a picture' }];
  const facts = { event: 'validation', pictures: 2, left: 1, leftOut };
  expect(info).toHaveBeenLastCalledWith(expect.objectContaining({ ...facts, decoded: 2 }), expect.anything());
  await look({}, { log, decodeMs: 0 });
  expect(info).toHaveBeenLastCalledWith(expect.objectContaining({ ...facts, decoded: 0 }), expect.anything());
  const stop = AbortSignal.abort(new Error('told to stop'));
  await expect(look({}, { signal: stop })).rejects.toThrow('told to stop');
});

test('weights of feature networks have one hash in each form of file', async () => {
  const layout = contentLayout(contentFeatures({ content: 'vgg22' })!);
  const vector = new Float32Array(layout.length).map((_, i) => i);
  const ours = safetensorsFromVector(layout, vector, { from: 'a test' });
  await writeFile(join(folder, 'ours.safetensors'), ours);
  await writeFile(join(folder, 'more.safetensors'), safetensorsFromVector(layout, vector, { from: 'another' }));
  vector[5] = 7;
  await writeFile(join(folder, 'other.safetensors'), safetensorsFromVector(layout, vector, {}));
  const hashOf = async (file: string) => {
    const found = await look({ vgg: join(folder, file), loss: { content: 'vgg22' }, validation: undefined });
    return found.featureWeights;
  };
  const first = await hashOf('ours.safetensors');
  expect(first).toMatch(/^content [0-9a-f]{12}$/);
  expect(await hashOf('more.safetensors')).toBe(first);
  expect(await hashOf('other.safetensors')).not.toBe(first);
  const without = await look({ validation: undefined });
  expect(without.featureWeights).toBe('');
});

test('weights of the feature network that are missing, damaged, or of something else', async () => {
  const vgg = (file: string) => ({ vgg: join(folder, file), loss: { content: 'vgg22' }, validation: undefined });
  expect(await refusal(vgg('vgg.safetensors'))).toMatch(/^not-found: .*vgg\.safetensors does not exist/);
  const hashed = `${'0'.repeat(64)}.safetensors`;
  await writeFile(join(folder, hashed), 'other bytes');
  expect(await refusal(vgg(hashed))).toMatch(/^corrupt: .* is damaged: its SHA-256 differs/);
  await writeFile(join(folder, 'vgg.safetensors'), 'no tensors');
  expect(await refusal(vgg('vgg.safetensors'))).toMatch(/^(invalid|corrupt): .*vgg\.safetensors/);
});

test('a shard cache that cannot be written matters only where shards are cached', async () => {
  const cacheFolder = join(folder, 'cache');
  await writeFile(cacheFolder, 'a file in its place');
  const cached = { data: { cacheFolder }, dataset: 's3://bucket/dataset', validation: undefined };
  expect(await refusal(cached)).toBe(`invalid: the shard cache ${cacheFolder} cannot be written`);
  expect(await refusal({ ...cached, dataset: folder })).toBe('nothing');
  expect(await refusal({ ...cached, batches: { from: 'nats' } })).toBe('nothing');
  expect(await refusal({ ...cached, data: { cacheFolder: join(folder, 'new', 'cache') } })).toBe('nothing');
});
