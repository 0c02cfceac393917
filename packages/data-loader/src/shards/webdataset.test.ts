import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeError, sha256 } from '@fourfold/common';
import { cropPicture, cutTiles, downscale, type Picture } from '@fourfold/imaging';
import { openStore } from '@fourfold/store';
import { lacks, pythonWith } from '../../../../test/support/needs.mjs';
import { createBatchSource } from '../batches/batch-source.js';
import { prepare, prepareDefaults, type PrepareOptions } from '../prepare/prepare.js';
import { pngOf, realPicture, writeFolder } from '../sources/test-archives.js';
import { dataConfig } from '../test-pictures.js';

/*
 * What Python's `webdataset` and NumPy read of our shards, and what we read of its tars.
 */

const python = pythonWith('numpy, webdataset');
const run = promisify(execFile);

/** Run a script; returns the JSON that it prints. */
async function inPython(script: string, ...args: string[]): Promise<unknown> {
  const { stdout } = await run(python ?? '', ['-c', script, ...args]);
  return JSON.parse(stdout);
}

/** The arrays of a shard's samples: by webdataset's own decoder, and each by `numpy.load` out of the tar. */
const readShard = `
import hashlib, io, json, sys, tarfile
import numpy as np, webdataset as wds
describe = lambda array: [list(array.shape), str(array.dtype), hashlib.sha256(array.tobytes()).hexdigest()]
samples = [
    {"key": s["__key__"], "info": s["json"], "hr": describe(s["hr.npy"]), "lr": describe(s["lr.npy"])}
    for s in wds.WebDataset(sys.argv[1], shardshuffle=False).decode()
]
with tarfile.open(sys.argv[1]) as tar:
    arrays = [describe(np.load(io.BytesIO(tar.extractfile(m).read()))) for m in tar if m.name.endswith(".npy")]
print(json.dumps({"samples": samples, "arrays": arrays}))`;

/** Copy a tar's samples, unchanged, by webdataset's writer. */
const writeAgain = `
import sys, webdataset as wds
with wds.TarWriter(sys.argv[2]) as out:
    for s in wds.WebDataset(sys.argv[1], shardshuffle=False):
        out.write({name: value for name, value in s.items() if name == "__key__" or not name.startswith("__")})
print("null")`;

/** Store pictures in a tar by its writer, with a class and a caption beside them. */
const writePictures = `
import sys, numpy as np, webdataset as wds
folder, path = sys.argv[1:]
read = lambda name: open(folder + "/" + name, "rb").read()
with wds.TarWriter(path) as out:
    out.write({"__key__": "0001", "png": read("first.png"), "cls": 3})
    out.write({"__key__": "deep/0002", "png": read("second.png"), "json": {"caption": "a photograph"}})
print("null")`;

describe.skipIf(lacks('python-webdataset', !!python))('Python’s webdataset', () => {
  let folder: string;
  const pictures: Record<string, Picture> = {};
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-webdataset-'));
    // Sides that are not multiples of 4.
    Object.assign(pictures, {
      'first.png': await realPicture(0, 131, 109),
      'second.png': await realPicture(1, 250, 118),
    });
    const files = Object.entries(pictures).map(async ([name, picture]) => [name, await pngOf(picture)] as const);
    await writeFolder(join(folder, 'images'), Object.fromEntries(await Promise.all(files)));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const prepared = async (name: string, changes: Partial<PrepareOptions>) => {
    const store = openStore(join(folder, name));
    const places = { images: join(folder, 'images'), store, name, minimumSide: 48 };
    return { store, ...(await prepare({ ...prepareDefaults, ...places, ...changes })) };
  };
  const described = ({ data, width, height }: Picture) => [[height, width, 3], 'uint8', sha256(data)];

  it('and NumPy read the pixels of our shards: HR and, beside it, the LR of the whole picture', async () => {
    const tile = 104;
    const { store, manifest } = await prepared('tiles', { encoding: 'pixels', tile });
    const [shard] = manifest.shards;
    expect(manifest.shards).toHaveLength(1);
    const { samples, arrays } = (await inPython(readShard, store.filePath!(shard.file))) as {
      samples: {
        key: string;
        info: { source: string; place: { left: number; top: number } };
        hr: unknown;
        lr: unknown;
      }[];
      arrays: unknown[];
    };
    const expected = new Map<string, { hr: unknown; lr: unknown }>();
    for (const [source, picture] of Object.entries(pictures)) {
      const lr = downscale(picture, 0);
      for (const { place } of cutTiles(picture.width, picture.height, tile)) {
        const [left, top, width, height] = [place.left, place.top, place.width, place.height].map((side) =>
          Math.ceil(side / 4),
        );
        expected.set(`${source} ${place.left} ${place.top}`, {
          hr: described(cropPicture(picture, place)),
          lr: described(cropPicture(lr, { left, top, width, height })),
        });
      }
    }
    expect(samples.map(({ key }) => key)).toEqual(samples.map((_, i) => String(i).padStart(9, '0')));
    const read = samples.map(
      ({ info: { source, place }, hr, lr }) => [`${source} ${place.left} ${place.top}`, { hr, lr }] as const,
    );
    expect(read.length).toBe(expected.size);
    expect(new Map(read)).toEqual(expected);
    expect(arrays).toEqual(samples.flatMap(({ hr, lr }) => [hr, lr]));
  });

  it('writes the members of a shard in another order: such a shard of pixels is refused with one line', async () => {
    const { store, manifest } = await prepared('pixels', { encoding: 'pixels' });
    const [shard] = manifest.shards;
    const path = join(folder, 'again.tar');
    await inPython(writeAgain, store.filePath!(shard.file), path);
    const body = await openStore(folder).get('again.tar');
    await store.put(shard.file, body);
    Object.assign(shard, { sha256: sha256(body), sizeBytes: body.length });
    const data = dataConfig({ globalBatch: 2, crop: 48, windowPictures: 5 });
    const source = createBatchSource({ store, manifest, data, seed: 1 });
    const refusal = await source.batch(0, 0).then(() => 'nothing', describeError);
    source.close();
    expect(refusal).toMatch(/shard-000000\.tar: there is .* where the index has a \.(hr|lr)\.npy/);
    expect(refusal).not.toContain('\n');
  });

  it('writes tars of photographs that `prepare` reads', async () => {
    const path = join(folder, 'photographs.tar');
    await inPython(writePictures, join(folder, 'images'), path);
    const { taken, left } = await prepared('from-python', { images: path });
    expect(taken.map(({ file, width, height }) => [file, width, height])).toEqual([
      ['0001.png', 131, 109],
      ['deep/0002.png', 250, 118],
    ]);
    expect(left.map(({ file }) => file)).toEqual(['0001.cls', 'deep/0002.json']);
  });
});
